"""The test vectors of docs/extensions.rst are what the code makes."""

import re
from ipaddress import ip_address
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import draw, fairness
from rserpool.client.drawing import Draws, Seeded
from rserpool.client.resolution import Resolution
from rserpool.client.statement import ELEMENT_SIGNATURE, signatures, signed, statement
from rserpool.security.signing.signature import CONTEXT, MOST_CERTIFICATE, SKEW, covered
from rserpool.security.signing.signer import LIFE
from rserpool.wire import parameters
from rserpool.wire.parameters import PoolElement, TCPTransport
from rserpool.wire.policies import WeightedRandom, WeightedRoundRobin
from tests.client.scene import element
from tests.security.signing.signing import signer

TEXT = (Path(__file__).parent.parent / "docs" / "extensions.rst").read_text()


def vector(name):
    """The octets of a block of the document."""
    [block] = re.findall(rf":name: {name}\n\n((?:   [0-9a-f]+\n)+)", TEXT)
    return bytes.fromhex(block)


class Signature(SynchronousTestCase):
    """Element Signature."""

    def setUp(self):
        """The element of the document."""
        self.element = PoolElement(
            identifier=0x2A,
            life=300,
            user_transport=TCPTransport(port=80, addresses=(ip_address("192.0.2.7"),)),
            policy=WeightedRoundRobin(weight=3),
        )

    def test_vectors(self):
        """What is signed, and what is sent."""
        self.assertEqual(signer().public, vector("signature-public"))
        one = signed(b"web", self.element, signer())
        self.assertEqual(parameters.encode(one), vector("signature-element"))
        [value] = signatures(one)
        said = covered(value[:28], statement(b"web", self.element))
        self.assertEqual(said, vector("signature-covered"))

    def test_numbers(self):
        """The numbers in the text are those of the code."""
        self.assertEqual(len(CONTEXT), 30)
        self.assertIn(f'{len(CONTEXT)} octets   "{CONTEXT[:-1].decode()}"', TEXT)
        self.assertIn(f"{MOST_CERTIFICATE:,} octets at most", TEXT)
        self.assertIn(f"extended by {SKEW:.0f} seconds", TEXT)
        self.assertIn(f"SHOULD be {LIFE / 60:.0f} minutes ahead", TEXT)
        self.assertIn(f"Type = {ELEMENT_SIGNATURE:#x}", TEXT)


class Choice(SynchronousTestCase):
    """Proof of Choice."""

    def test_vectors(self):
        """Nonce, links, waits, and the proof."""
        nonce = draw.seeded(b"public", 30_000_000)
        first = draw.first_link(nonce, b"web", b"dns:pu.example")
        third = draw.link_at(first, 2)
        self.assertEqual(nonce + first + third, vector("choice-links"))
        waits = [draw.waiting(third, identifier) for identifier in (1, 2, 3)]
        self.assertIn("{}, {} and {}. Element 3 is".format(*waits), TEXT)
        draws = Draws(
            b"web", b"dns:pu.example", Seeded(b"public").at, lambda: 30_000_000.0 * draw.PERIOD
        )
        weights = {1: 1, 2: 2, 3: 4}
        elements = [element(n, WeightedRandom(weight=weight)) for n, weight in weights.items()]
        for _ in range(3):
            drawn = draws.draw(Resolution(b"web", elements[0].policy, tuple(elements)))
        self.assertEqual(drawn.choose().identifier, 3)
        drawn.failed(3)
        self.assertEqual(drawn.choose().identifier, 2)
        self.assertEqual(drawn.proof(), vector("choice-proof"))

    def test_numbers(self):
        """The numbers in the text are those of the code."""
        self.assertIn(f"Type = {draw.CHOICE_PROOF:#x}", TEXT)
        for words in (
            f"periods of {draw.PERIOD} seconds",
            f"there are {draw.MOST_DRAWS} at most",
            f"give or take {fairness.CLOCKS:.0f} seconds",
            f"more than {fairness.EXCUSED} elements are said",
            f"don't count for {fairness.GRACE:.0f} seconds",
            f"remembers, {fairness.MOST_USERS:,} (",
        ):
            self.assertIn(words, TEXT)
