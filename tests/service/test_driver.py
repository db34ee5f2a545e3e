"""The driver performs what the registrar wants."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.effects import (
    Announce,
    Audit,
    CancelTimer,
    Close,
    Dial,
    Reach,
    Send,
    Serve,
    SetTimer,
)
from rserpool.registrar.events import Channel, Protocol
from rserpool.security.decisions import Proof, Subject
from rserpool.service import driver
from rserpool.service.driver import Driver
from rserpool.wire import asap
from rserpool.wire.parameters import TCPTransport
from tests.fleet import HERE
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

    def connected(self, channel, now):
        """Nothing."""
        return []

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
        self.want(Announce(asap.ServerAnnounce(server=1)))
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


class Peers(SynchronousTestCase):
    """What is for other registrars."""

    def setUp(self):
        self.clock = Clock()
        self.scripted = ScriptedRegistrar()
        self.driver = Driver(self.scripted, self.clock, self.clock.seconds, lambda audit: None)
        subject = Subject("r2", Proof.PSK, "192.0.2.2")
        self.channel = Channel(Protocol.ENRP, subject, frozenset())
        self.wire = Wire()
        self.driver.opened(self.channel, self.wire)

    def want(self, *effects):
        """The registrar wants these."""
        self.scripted.effects = list(effects)
        self.driver.arrived(self.channel, [b"...."])

    def test_one_write(self):
        """All that is for a peer in one turn goes out in one write, in order."""
        self.want(Send(self.channel, b"abc"))
        self.want(Send(self.channel, b"def"), Send(self.channel, b"ghi"))
        self.assertEqual(self.wire.written, [])
        self.clock.advance(0)
        self.assertEqual(self.wire.written, [b"abcdefghi"])
        self.clock.advance(10)
        self.assertEqual(len(self.wire.written), 1)

    def test_much(self):
        """What is much is written at once: it counts for one that doesn't read."""
        self.patch(driver, "LONGEST_JOINED", 5)
        self.want(
            Send(self.channel, b"abc"), Send(self.channel, b"def"), Send(self.channel, b"g")
        )
        self.assertEqual(self.wire.written, [b"abcdef"])
        self.clock.advance(0)
        self.assertEqual(self.wire.written, [b"abcdef", b"g"])

    def test_after_the_stop(self):
        """What was to be said is said at the stop; nothing rings afterwards."""
        self.want(Send(self.channel, b"abc"))
        self.driver.stop()
        self.assertEqual(self.wire.written, [b"abc"])
        self.want(SetTimer("late", 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close(self):
        """What was to be said goes out before the connection is closed."""
        self.want(Send(self.channel, b"bye"), Close(self.channel, "double"))
        self.assertEqual((self.wire.written, self.wire.closed), ([b"bye"], ["double"]))
        self.clock.advance(0)
        self.assertEqual(len(self.wire.written), 1)

    def test_lost(self):
        """Nothing is written to a peer that has gone."""
        self.want(Send(self.channel, b"abc"))
        self.scripted.effects = []
        self.driver.lost(self.channel)
        self.clock.advance(0)
        self.assertEqual(self.wire.written, [])

    def test_wishes(self):
        """Calls are passed on, and that service may begin."""
        told = []
        self.driver.on_dial = told.append
        self.driver.on_reach = told.append
        self.driver.on_serve = lambda: told.append("serve")
        reach = Reach((b"web", 1), TCPTransport(port=1, addresses=(HERE,)), b"x")
        self.want(Dial("r3=tcp:h:1"), reach, Serve())
        self.assertEqual(told, ["r3=tcp:h:1", reach, "serve"])
