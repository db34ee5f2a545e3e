"""How often: budgets."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

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
