"""The simulation, short: its rules hold, it repeats itself, and it finds planted faults."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.interop import Interop
from tests.simulation import mutations
from tests.simulation.run import run
from tests.simulation.world import planned

#: Faults, and the seed by which each is found at the latest.
FOUND = {
    "audits-nothing": 4,
    "calls-nobody-again": 4,
    "expects-no-return": 8,
    "expects-nobody": 8,
    "forgets-late-adoptions": 16,
    "moves-nothing": 30,
    "serves-too-soon": 8,
    "stale-checksum": 4,
    "sweeps-nothing": 4,
    "tells-no-addition": 8,
    "tells-no-deletion": 16,
}


class Simulated(SynchronousTestCase):
    """A few seeds; ``make simulate`` runs many."""

    def test_seeds(self):
        """Every rule holds, whatever breaks."""
        for seed in range(1, 21):
            outcome = run(seed)
            self.assertFalse(outcome.failure, outcome.report())

    test_seeds.timeout = 120

    def test_rsplib(self):
        """The same where registrars speak as those of rsplib do; such a scope is insecure."""
        ways = Interop(
            full_presence=True, always_asap_transport=True, strip_parameters=True,
            keep_alive_identifier=True, update_receiver=True, table_bytes=1400,
        )  # fmt: skip
        for seed in range(1, 11):
            plan = planned(seed)
            settings = attrs.evolve(plan.settings, lower_id_wins=True, interop=ways)
            outcome = run(seed, attrs.evolve(plan, secure=False, settings=settings))
            self.assertFalse(outcome.failure, outcome.report())

    test_rsplib.timeout = 120

    def test_repeats(self):
        """A seed gives the same run again, step by step."""
        first, second = (run(7, most=None).world.trace.lines() for _ in range(2))
        self.assertEqual(list(first), list(second))

    test_repeats.timeout = 60


class Planted(SynchronousTestCase):
    """Deliberate faults in takeover, audit, updates and joining."""

    timeout = 300

    def found(self, name):
        """Whether some seed finds this fault."""
        with mutations.planted(name):
            return any(run(seed).failure for seed in range(1, FOUND[name] + 1))


def _add(name):
    def test(self):
        self.assertTrue(self.found(name), name)

    test.__doc__ = f"The planted fault {name} is found."
    setattr(Planted, f"test_{name.replace('-', '_')}", test)


for _name in FOUND:
    _add(_name)
