"""A short run of the fuzzer; ``make fuzz`` runs it for as long as one likes."""

import random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, enrp
from rserpool.wire.errors import WireError
from tests.fuzz.__main__ import attack, mutated, samples

#: Messages that are tried: some two seconds' worth.
COUNT = 50_000


class Short(SynchronousTestCase):
    """Nothing comes of a mutated message but a value or WireError, in bounded time."""

    def test_mutated(self):
        """Always the same mutations; a failure names its seed."""
        seeds = samples()
        for seed in range(1, COUNT + 1):
            attack(mutated(seeds, random.Random(seed)), seed)

    def test_some_decode(self):
        """The fuzzer gets inside: of both protocols, many decode and many don't."""
        seeds = samples()
        for protocol in (asap, enrp):
            decoded = 0
            for seed in range(500):
                try:
                    protocol.decode(mutated(seeds, random.Random(seed)))
                    decoded += 1
                except WireError:
                    pass
            self.assertTrue(25 < decoded < 475, decoded)
