"""The driver performs what the registrar wants."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.effects import Announce, Audit, CancelTimer, Close, Send, SetTimer
from rserpool.service.driver import Driver
from rserpool.wire import asap
from tests.registrar.scene import Scene, registration


class ScriptedRegistrar:
    """Returns what the test wants done."""

    def __init__(self, effects=()):
        self.effects = list(effects)
        self.rings = []

    def arrived(self, channel, messages, now):
        """Return the script."""
        return self.effects

    def lost(self, channel, now):
        """Return the script."""
        return self.effects

    def rang(self, name, now):
        """Remember the ring."""
        self.rings.append((name, now))
        return []


class Wire:
    """A connection that remembers."""

    def __init__(self):
        self.written = []
        self.closed = []

    def write(self, data):
        """Remember."""
        self.written.append(data)

    def close(self, reason):
        """Remember."""
        self.closed.append(reason)


class Driving(SynchronousTestCase):
    """Each effect, once."""

    def setUp(self):
        self.clock = Clock()
        self.audits = []
        self.scripted = ScriptedRegistrar()
        self.driver = Driver(self.scripted, self.clock, self.clock.seconds, self.audits.append)
        self.channel = Scene().channel()
        self.wire = Wire()
        self.driver.opened(self.channel, self.wire)

    def want(self, *effects):
        """The registrar wants these."""
        self.scripted.effects = list(effects)
        self.driver.arrived(self.channel, [b"...."])

    def test_send_and_close(self):
        """What is for a channel goes to its connection."""
        self.want(Send(self.channel, b"abc"), Close(self.channel, "enough"))
        self.assertEqual((self.wire.written, self.wire.closed), ([b"abc"], ["enough"]))

    def test_gone(self):
        """What is for a channel that is gone goes nowhere, and harms nobody."""
        stranger = Scene().channel()
        self.want(Send(stranger, b"abc"), Close(stranger, "enough"))
        self.assertEqual(self.wire.written, [])

    def test_lost_once(self):
        """A loss is told once."""
        self.scripted.effects = [Audit("lost", None)]
        self.driver.lost(self.channel)
        self.driver.lost(self.channel)
        self.assertEqual(len(self.audits), 1)

    def test_timer(self):
        """A timer rings once, at its time."""
        self.want(SetTimer("t", 5))
        self.clock.advance(4.9)
        self.assertEqual(self.scripted.rings, [])
        self.clock.advance(0.1)
        self.assertEqual([name for name, _ in self.scripted.rings], ["t"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_timer_set_again(self):
        """Setting it again makes the earlier setting void."""
        self.want(SetTimer("t", 5), SetTimer("t", 1))
        self.clock.advance(10)
        self.assertEqual(len(self.scripted.rings), 1)

    def test_timer_cancelled(self):
        """A cancelled timer doesn't ring; cancelling none is nothing."""
        self.want(SetTimer("t", 5), CancelTimer("t"), CancelTimer("u"))
        self.clock.advance(10)
        self.assertEqual(self.scripted.rings, [])

    def test_stop(self):
        """After the stop nothing rings."""
        self.want(SetTimer("t", 5))
        self.driver.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_announce(self):
        """An announcement without a group to announce to is dropped."""
        self.want(Announce(b"...."))
        self.assertEqual(self.wire.written, [])


class Real(SynchronousTestCase):
    """The driver with the real registrar."""

    def test_silent_element(self):
        """Timers reach the core: an element that answers no keep-alive is removed."""
        scene, clock = Scene(), Clock()
        driver = Driver(scene.registrar, clock, clock.seconds, lambda audit: None)
        channel, wire = scene.channel(), Wire()
        driver.opened(channel, wire)
        driver.arrived(channel, [asap.encode(registration())])
        self.assertEqual(scene.members(), {1})
        clock.pump([0.1] * 220)
        self.assertEqual(scene.members(), set())
        # the answer, a keep-alive, and the news that it was taken out
        self.assertEqual(len(wire.written), 3)
