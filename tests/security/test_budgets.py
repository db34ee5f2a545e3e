"""How often: budgets."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security import budgets
from rserpool.security.budgets import Budget, Rate


class Bursts(SynchronousTestCase):
    """What a budget has at once, and later."""

    @given(st.integers(1, 1000), st.integers(1, 200), st.floats(0, 1e7))
    def test_burst(self, per_second, burst, now):
        """A whole burst at one moment, whenever that is; then each in its turn."""
        budget = Budget(Rate(per_second, burst), "things")
        allowed = [budget.spend("a", now).allowed for _ in range(burst + 2)]
        self.assertEqual(allowed, [True] * burst + [False] * 2)
        self.assertTrue(budget.spent("a", now))
        self.assertTrue(budget.spend("a", now + 1.01 / per_second).allowed)
        self.assertFalse(budget.spend("a", now + 1.01 / per_second).allowed)
        self.assertTrue(budget.spend("b", now).allowed, "another's is another")


class Forgetting(SynchronousTestCase):
    """Whose budgets are forgotten, when there are too many."""

    def setUp(self):
        """Few are remembered."""
        self.patch(budgets, "MAXIMUM_BUDGETS", 100)
        self.budget = Budget(Rate(1, 10), "things")

    def empty(self, *keys):
        """Use all of a budget."""
        for key in keys:
            for _ in range(10):
                self.assertTrue(self.budget.spend(key, 0.0).allowed)

    def test_nobody_gains(self):
        """Whoever has used all of it isn't forgotten for thousands who have hardly begun."""
        self.empty("a", "b")
        for number in range(5000):
            self.budget.spend(f"address {number}", 0.0)
        for key in ("a", "b"):
            self.assertFalse(self.budget.spend(key, 0.0).allowed)

    def test_bounded(self):
        """However many come, no more are remembered than may be."""
        for number in range(5000):
            self.budget.spend(f"address {number}", 0.0)
            self.assertLessEqual(len(self.budget._full), 100)

    def test_seldom(self):
        """So many that are no longer full aren't all looked through at each request."""
        looked = []
        forget = self.budget._forget
        self.patch(self.budget, "_forget", lambda now: looked.append(now) or forget(now))
        self.empty(*(f"address {number}" for number in range(95)))
        for number in range(200):
            self.budget.spend(f"other {number}", number * 0.01)
        self.assertLess(len(looked), 30)
