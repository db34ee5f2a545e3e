"""Whom a pool user chooses (RFC 5356, "Pool User Considerations")."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Chooser, Resolution
from rserpool.wire import policies
from tests.client.scene import Chance, element


def chooser(policy, *identifiers, random=None):
    """Choose among these, by this policy."""
    elements = tuple(element(identifier) for identifier in identifiers)
    return Chooser(Resolution(b"web", policy, elements), random or Chance())


class Choosing(SynchronousTestCase):
    """One element for each use of the pool."""

    def chosen(self, choose, count):
        """The identifiers of so many choices."""
        return [choose.choose().identifier for _ in range(count)]

    def test_around(self):
        """Round robin goes around the list, starting with the first (4.1.3, 4.2.3)."""
        for policy in (policies.RoundRobin(), policies.WeightedRoundRobin(weight=3)):
            choose = chooser(policy, 1, 2, 3)
            self.assertEqual(self.chosen(choose, 7), [1, 2, 3, 1, 2, 3, 1])

    def test_by_chance(self):
        """Random policies select one of the list each time (4.3.3, 4.4.3, 5.4.3)."""
        for policy in (
            policies.Random(),
            policies.WeightedRandom(weight=1),
            policies.RandomizedLeastUsed(load=0),
        ):
            choose = chooser(policy, 1, 2, 3, random=Random(5))
            self.assertEqual(set(self.chosen(choose, 50)), {1, 2, 3})

    def test_chance_never_misses(self):
        """The largest random number selects the last one."""
        choose = chooser(policies.Random(), 1, 2, random=Chance(0.9999999, 0.0))
        self.assertEqual(self.chosen(choose, 2), [2, 1])

    def test_in_order(self):
        """With priorities and loads the registrar's order holds: the first (5.1.3, 5.3.3)."""
        for policy in (
            policies.Priority(priority=1),
            policies.LeastUsed(load=0),
            policies.LeastUsedDegradation(load=0, degradation=1),
            policies.PriorityLeastUsed(load=0, degradation=1),
            policies.UnknownPolicy(number=0xDEADBEEF, data=b""),
        ):
            choose = chooser(policy, 1, 2, 3)
            self.assertEqual(self.chosen(choose, 3), [1, 1, 1])
            choose.failed(1)
            self.assertEqual(self.chosen(choose, 2), [2, 2])

    def test_failed_isnt_chosen_again(self):
        """One that failed is left out, and nobody else misses a turn."""
        choose = chooser(policies.RoundRobin(), 1, 2, 3)
        self.assertEqual(self.chosen(choose, 2), [1, 2])
        choose.failed(1)
        choose.failed(99)
        self.assertEqual(self.chosen(choose, 3), [3, 2, 3])

    def test_all_failed(self):
        """When all have failed, nobody is chosen."""
        choose = chooser(policies.RoundRobin(), 1)
        choose.failed(1)
        self.assertIsNone(choose.choose())
