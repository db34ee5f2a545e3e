"""Warnings, said again."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.service.reminder import DAILY, LONGEST, MAXIMUM_WARNINGS, Reminder


class Warner:
    """Has warnings."""

    def __init__(self):
        self.warnings, self.moments = ["ends soon"], []


class Reminding(SynchronousTestCase):
    """On a clock that the test turns."""

    def setUp(self):
        """Begin."""
        self.clock, self.warner, self.said = Clock(), Warner(), []
        self.clock.advance(1_000_000)
        self.late = 0.0
        self.reminder = Reminder(
            self.clock, lambda: self.clock.seconds() + self.late, self.warner
        )
        self.reminder._log = self
        self.reminder.start()

    def warn(self, form, **values):
        """Take a line of the log."""
        self.said.append(form.format(**values))

    def turn(self, seconds):
        """Let time pass."""
        whole, rest = divmod(seconds, LONGEST)
        self.clock.pump([LONGEST] * int(whole) + [rest])

    def test_daily(self):
        """A warning is said once a day, as long as there is one."""
        self.turn(DAILY - 1)
        self.assertEqual(self.said, [])
        self.turn(1)
        self.assertEqual(self.said, ["ends soon"])
        self.turn(2 * DAILY)
        self.assertEqual(len(self.said), 3)
        self.warner.warnings = []
        self.turn(2 * DAILY)
        self.assertEqual(len(self.said), 3)

    def test_moments(self):
        """What ends is said when it does, once."""
        self.warner.moments = [self.clock.seconds() + 5000, self.clock.seconds() - 5000]
        self.turn(4999)
        self.assertEqual(self.said, [])
        self.turn(1)
        self.assertEqual(len(self.said), 1)
        self.turn(DAILY - 1)
        self.assertEqual(len(self.said), 1)

    def test_clock_set(self):
        """A clock that was set is noticed within the hour."""
        self.late = 10 * DAILY
        self.turn(LONGEST)
        self.assertEqual(len(self.said), 1)

    def test_many(self):
        """Thousands of warnings don't fill the log."""
        self.warner.warnings = [f"key {n}" for n in range(1000)]
        self.reminder.say()
        self.assertEqual(len(self.said), MAXIMUM_WARNINGS + 1)
        self.assertIn("950 more", self.said[-1])

    def test_stop(self):
        """After the stop nothing is left to ring."""
        self.reminder.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
