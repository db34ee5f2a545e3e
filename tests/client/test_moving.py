"""Moving to a new connection with the home registrar, without leaving the pool."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Plain, What
from rserpool.client.effects import CancelTimer, Hunt, Redial, Settle, Stay, Switch
from rserpool.client.element import PAUSE, RETRAN_MAX, T2, T2_SECONDS, T4, Element
from rserpool.client.link import Link
from rserpool.client.moving import AGAIN, Moving, State
from rserpool.wire import asap, causes
from tests.client.scene import (
    Chance,
    Town,
    granted,
    keep_alive,
    membership,
    rejected,
    removed,
    sent,
    timers,
    told,
)

#: What of the effects is about connections.
ABOUT = (Redial, Switch, Settle, Stay, Hunt)


def kinds(effects):
    """What shall happen to the connections."""
    return [type(effect) for effect in effects if isinstance(effect, ABOUT)]


class Case(SynchronousTestCase):
    """An element that is registered, and another credential for it."""

    def setUp(self):
        """It is registered."""
        self.element = Element(membership())
        self.moving = Moving(self.element)
        self.moving.linked(0.0)
        self.element.join()
        self.hear(granted())

    def hear(self, message):
        """The registrar says this, by whatever connection."""
        return self.moving.arrived(asap.encode(message), 1.0)

    def registering(self):
        """It has sent its registration by the second connection."""
        self.moving.begin()
        return self.moving.reached()


class Registered(Case):
    """While it is registered."""

    def test_way(self):
        """It calls, registers by the second connection, and ends the first when granted."""
        self.assertEqual(kinds(self.moving.begin()), [Redial])
        effects = self.moving.reached()
        self.assertEqual(kinds(effects), [Switch])
        self.assertEqual([type(m) for m in sent(effects)], [asap.Registration])
        effects = self.hear(granted())
        self.assertEqual(kinds(effects), [Settle])
        self.assertEqual(told(effects), [What.MOVED, What.RENEWED])
        self.assertIn(T4, timers(effects))
        self.assertTrue(self.element.registered)

    def test_no_withdrawal(self):
        """Nothing that it sends on the way takes it out of the pool."""
        effects = [*self.moving.begin(), *self.moving.reached(), *self.hear(granted())]
        self.assertEqual([type(m) for m in sent(effects)], [asap.Registration])

    def test_quiet_first(self):
        """It waits for the answers that are due by the first connection."""
        self.moving.rang(T4)
        self.moving.begin()
        self.assertEqual(self.moving.reached(), [])
        effects = self.hear(granted())
        self.assertEqual(kinds(effects), [Switch])
        self.assertEqual([type(m) for m in sent(effects)], [asap.Registration])

    def test_keep_alive(self):
        """Keep-alives are answered meanwhile, and end nothing."""
        self.registering()
        effects = self.hear(keep_alive())
        self.assertEqual([type(m) for m in sent(effects)], [asap.EndpointKeepAliveAck])
        self.assertEqual((kinds(effects), self.moving.state), ([], State.REGISTERING))

    def test_server_id(self):
        """By the name of its home another one may have answered: its ID is learnt anew."""
        self.hear(keep_alive())
        [message] = sent(self.registering())
        self.assertEqual(message.element.home, 0)
        self.hear(granted())
        self.assertEqual(told(self.hear(keep_alive(server=0x22))), [What.IDENTIFIED])
        self.assertEqual(self.element.home, 0x22)

    def test_unreachable(self):
        """A call that fails leaves all as it was, and is made again, less and less often."""
        self.moving.begin()
        pauses = []
        for _ in range(7):
            effects = self.moving.failed("nobody listens", believed=True)
            self.assertEqual((kinds(effects), told(effects)), ([], [What.UNMOVED]))
            pauses.append(timers(effects)[AGAIN])
            self.assertEqual(kinds(self.moving.rang(AGAIN)), [Redial])
        self.assertEqual((pauses[:2], pauses[-1]), ([PAUSE, 2 * PAUSE], RETRAN_MAX))
        self.assertTrue(self.element.registered)

    def test_not_believed(self):
        """A registrar that isn't believed any more is left."""
        self.moving.begin()
        [effect] = self.moving.failed("the certificate has been revoked", believed=False)
        self.assertIn("has been revoked", effect.reason)

    def test_rejected(self):
        """A rejection that may pass: back to the first connection, and again later."""
        self.registering()
        effects = self.hear(rejected(causes.RejectedForSecurity()))
        self.assertEqual(kinds(effects), [Stay])
        self.assertEqual((sent(effects), told(effects)), ([], [What.UNMOVED]))
        self.assertEqual(set(timers(effects)), {AGAIN, T4})
        self.assertIn(CancelTimer(T2), effects)
        self.assertTrue(self.element.registered)
        self.assertFalse(self.element.busy)

    def test_refused(self):
        """A rejection for good: it stays registered as it was, and tries no more."""
        self.registering()
        effects = self.hear(rejected(causes.NonUniquePEIdentifier()))
        self.assertEqual((kinds(effects), set(timers(effects))), ([Stay], {T4}))
        self.assertTrue(self.element.registered and self.element.wanted)
        self.assertEqual(kinds(self.moving.begin()), [Redial])

    def test_silence(self):
        """No answer, or an end before it: it registers by the first connection again."""
        for end in (
            lambda: self.moving.rang(T2),
            lambda: self.moving.failed("the connection was lost", believed=True),
        ):
            self.assertEqual(timers(self.registering())[T2], T2_SECONDS)
            effects = end()
            self.assertEqual(kinds(effects), [Stay])
            self.assertEqual([type(m) for m in sent(effects)], [asap.Registration])
            self.hear(granted())
            self.assertTrue(self.element.registered)

    def test_another(self):
        """A credential that comes while it registers has its turn after that."""
        self.registering()
        self.assertEqual(self.moving.begin(), [])
        self.assertEqual(kinds(self.hear(granted())), [Settle, Redial])
        self.moving.reached()
        self.moving.begin()
        self.assertEqual(
            kinds(self.hear(rejected(causes.RejectedForSecurity()))), [Stay, Redial]
        )

    def test_home_lost(self):
        """When the home is lost there is nothing to move from."""
        self.registering()
        self.assertIn(CancelTimer(AGAIN), self.moving.unlinked())
        self.assertEqual(self.moving.reached(), [])
        self.assertEqual(self.moving.failed("it was hung up", believed=True), [])
        self.assertEqual(self.moving.rang(AGAIN), [])
        self.assertEqual([type(m) for m in sent(self.moving.linked(2.0))], [asap.Registration])

    def test_flood(self):
        """A home that talks nonsense is left all the same."""
        self.moving.begin()
        self.moving.rang(T4)
        self.moving.reached()
        self.assertEqual(kinds(self.moving.arrived(b"\1\0\0\3", 1.0)), [Hunt])

    def test_withdrawn(self):
        """Who leaves meanwhile has left, on whichever connection."""
        self.registering()
        self.element.withdraw()
        effects = [*self.hear(granted()), *self.hear(removed())]
        self.assertEqual(kinds(effects), [Settle])
        self.assertIn(What.WITHDRAWN, told(effects))

    def test_withdrawn_and_back(self):
        """Who leaves by a connection that comes to nothing leaves by the first one."""
        self.registering()
        self.element.withdraw()
        effects = self.hear(rejected(causes.RejectedForSecurity()))
        self.assertEqual([type(m) for m in sent(effects)], [asap.Deregistration])


class Unregistered(Case):
    """While it isn't."""

    def test_at_once(self):
        """The second connection is the one at once, and it registers by that, if it wants."""
        for wanted in (True, False):
            element = Element(membership())
            moving = Moving(element)
            moving.linked(0.0)
            if wanted:
                element.join()
                moving.arrived(asap.encode(rejected(causes.LackOfResources())), 1.0)
            moving.begin()
            effects = moving.reached()
            self.assertEqual(kinds(effects), [Switch, Settle])
            self.assertEqual(len(sent(effects)), wanted)


class Linked(SynchronousTestCase):
    """Its connections."""

    def setUp(self):
        """It is registered with the first of two registrars."""
        self.town = Town()
        self.notices = []
        self.element = Element(membership())
        self.moving = Moving(self.element)
        self.link = Link(
            self.town.reactor, self.town.endpoints(2), Plain(), self.moving,
            notify=self.notices.append, random=Chance(),
        )  # fmt: skip
        self.link.start()
        self.addCleanup(self.link.stop)
        self.home = self.town.answer(1)
        self.link.perform(self.element.join())
        self.home.send(granted())
        self.home.received()
        self.town.calls()

    def move(self):
        """Another credential; the second connection."""
        self.link.secure(Plain(), self.moving)
        self.assertEqual(self.town.calls(), [1])
        return self.town.answer(1)

    def told(self):
        """What has happened."""
        return [notice.what for notice in self.notices]

    def test_moved(self):
        """The first connection answers until the second is good; then it is closed."""
        second = self.move()
        self.assertEqual([type(m) for m in second.received()], [asap.Registration])
        self.home.send(keep_alive())
        self.assertEqual([type(m) for m in self.home.received()], [asap.EndpointKeepAliveAck])
        self.assertEqual((second.received(), self.home.closed), ([], False))
        second.send(granted())
        self.assertTrue(self.home.closed)
        self.town.reactor.advance(0)
        self.assertEqual((self.element.registered, self.link.home), (True, "tcp:127.0.0.1:1"))
        self.assertNotIn(What.UNLINKED, self.told())
        second.send(keep_alive())
        self.assertEqual([type(m) for m in second.received()], [asap.EndpointKeepAliveAck])

    def test_lost_later(self):
        """The connection to which it has moved is the home's like any: lost, it is hunted."""
        second = self.move()
        second.send(granted())
        second.transport.end()
        self.town.reactor.advance(60)
        self.assertIn(What.UNLINKED, self.told())
        self.assertIn(2, self.town.calls())

    def test_stays(self):
        """A second connection that is refused, or lost, leaves the first as it was."""
        for end in (
            lambda peer: peer.send(rejected(causes.NonUniquePEIdentifier())),
            lambda peer: peer.transport.end(),
        ):
            second = self.move()
            end(second)
            self.town.reactor.advance(0)
            self.assertTrue(second.closed or second.transport.over)
            self.assertFalse(self.home.closed)
            self.home.send(granted(), keep_alive())
            self.assertIn(asap.EndpointKeepAliveAck, map(type, self.home.received()))
        self.assertNotIn(What.UNLINKED, self.told())

    def test_both_gone(self):
        """With both connections gone there is a hunt."""
        second = self.move()
        self.home.transport.end()
        self.town.reactor.advance(0)
        self.assertNotIn(What.UNLINKED, self.told())
        second.transport.end()
        self.town.reactor.advance(0)
        self.assertIn(What.UNLINKED, self.told())
        self.assertEqual(self.town.calls(), [2])

    def test_nobody(self):
        """Where nobody listens any more the first connection goes on, and it is tried again."""
        self.link.secure(Plain(), self.moving)
        self.town.calls()
        self.town.refuse(1)
        self.assertFalse(self.home.closed)
        self.town.reactor.advance(PAUSE)
        self.assertEqual(self.town.calls(), [1])

    def test_home_lost(self):
        """When the home is lost while it is called again, that call is given up."""
        self.link.secure(Plain(), self.moving)
        self.home.transport.end()
        self.town.reactor.advance(0)
        self.assertTrue(self.town.reactor.connectors[-2].stoppedConnecting)
        self.assertEqual(self.town.calls(), [1, 2])

    def test_again(self):
        """A second credential gives up the call that was made by the first."""
        self.link.secure(Plain(), self.moving)
        self.link.secure(Plain(), self.moving)
        self.assertEqual(self.town.calls(), [1, 1])
        self.assertTrue(self.town.reactor.connectors[-2].stoppedConnecting)

    def test_hunting(self):
        """Calls of a hunt that were made by the credential before are made anew."""
        self.home.transport.end()
        self.town.reactor.advance(0)
        self.assertEqual(self.town.calls(), [2])
        self.link.secure(Plain(), self.moving)
        self.assertEqual(sorted(self.town.calls()), [1, 2])

    def test_no_good(self):
        """Of a credential that can't be used nothing is kept."""
        with self.assertRaises(ValueError):
            self.link.secure(Unusable(), self.moving)
        self.assertEqual((self.town.calls(), self.home.closed), ([], False))

    def test_stopped(self):
        """After `stop` neither connection is left."""
        second = self.move()
        self.link.stop()
        self.assertTrue(second.closed and self.home.closed)
        self.town.reactor.advance(0)
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])


class Unusable:
    """A credential of which no TLS can be made."""

    def creator(self, host):
        """There is no way."""
        raise ValueError("no way")
