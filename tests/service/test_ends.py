"""One timer for the ends of all sessions."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.service.ends import LONGEST, MOST_STALE, Ends


class Ending(SynchronousTestCase):
    """On a clock that the test turns."""

    def setUp(self):
        """Nothing ends yet."""
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.late = 0.0
        self.ends = Ends(self.clock, lambda: self.clock.seconds() + self.late)
        self.ended = []
        self.moments = 0
        self.ends.on_ended = self.ended.append
        self.ends.on_moment = self.moment

    def moment(self):
        """Count."""
        self.moments += 1

    def after(self, seconds):
        """A time from now."""
        return self.clock.seconds() + self.late + seconds

    def test_exact(self):
        """What ends is told when it does, and not before; together what ends together."""
        for seconds, item in ((30, "b"), (10, "a"), (30, "c"), (None, "never")):
            self.ends.put(None if seconds is None else self.after(seconds), item)
        self.clock.advance(9.9)
        self.assertEqual(self.ended, [])
        self.clock.advance(0.1)
        self.assertEqual(self.ended, [["a"]])
        self.clock.advance(20)
        self.assertEqual(self.ended, [["a"], ["b", "c"]])
        self.assertEqual((len(self.ends), self.clock.getDelayedCalls()), (0, []))

    def test_one_timer(self):
        """There is one timer, however many things end, and it is set for the earliest."""
        for seconds in (50, 200, 20, 100):
            self.ends.put(self.after(seconds), seconds)
        [timer] = self.clock.getDelayedCalls()
        self.assertEqual(timer.getTime() - self.clock.seconds(), 20)

    def test_gone(self):
        """What is gone before its end isn't told of; what is put again has its new end."""
        self.ends.put(self.after(10), "a")
        self.ends.put(self.after(10), "b")
        self.ends.put(self.after(20), "b")
        self.ends.drop("a")
        self.clock.advance(15)
        self.assertEqual(self.ended, [])
        self.clock.advance(5)
        self.assertEqual(self.ended, [["b"]])

    def test_coming_and_going(self):
        """Who comes and goes again and again takes no memory for it."""
        self.ends.put(self.after(1e8), "stays")
        for n in range(10 * MOST_STALE):
            self.ends.put(self.after(1e8 + n), n)
            self.ends.drop(n)
        self.assertLess(len(self.ends._heap), 2 * MOST_STALE)
        self.clock.pump([LONGEST] * 3)
        self.assertEqual(self.ended, [])

    def test_clock_set(self):
        """A clock that was set forth is noticed after a while, and none of it is early."""
        self.ends.put(self.after(1e6), "a")
        self.clock.advance(LONGEST)
        self.late = 2e6
        self.clock.advance(LONGEST)
        self.assertEqual(self.ended, [["a"]])
        self.ends.put(self.after(10), "b")
        self.late -= 5
        self.clock.advance(10)
        self.assertEqual(self.ended, [["a"]])
        self.clock.advance(5)
        self.assertEqual(self.ended, [["a"], ["b"]])

    def test_moments(self):
        """At a moment everything is looked at; moments that are over aren't waited for."""
        self.ends.expect([self.after(-5), self.after(20), self.after(40)])
        self.ends.put(self.after(30), "a")
        self.clock.advance(20)
        self.assertEqual((self.moments, self.ended), (1, []))
        self.ends.expect([self.after(30)])
        self.clock.advance(29)
        self.assertEqual((self.moments, self.ended), (1, [["a"]]))
        self.clock.advance(1)
        self.assertEqual(self.moments, 2)

    def test_stop(self):
        """After the stop nothing rings."""
        self.ends.put(self.after(10), "a")
        self.ends.expect([self.after(5)])
        self.ends.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
