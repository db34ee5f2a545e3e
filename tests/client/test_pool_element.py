"""The pool element for applications."""

import attrs
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Plain, PoolElement, PreSharedKey, Refused, What, new_identifier
from rserpool.client.hunt import PAUSE
from rserpool.wire import asap, causes
from rserpool.wire.policies import LeastUsed
from tests.client.scene import (
    Chance,
    Town,
    granted,
    keep_alive,
    membership,
    rejected,
    removed,
)


class Case(SynchronousTestCase):
    """An element among registrars in memory."""

    def setUp(self):
        """It isn't started."""
        self.town = Town()
        self.notices = []
        self.element = PoolElement(
            self.town.reactor,
            self.town.endpoints(2),
            Plain(),
            membership(),
            notify=self.notices.append,
            rng=Chance(),
        )

    def told(self, what):
        """How often this has happened."""
        return [notice.what for notice in self.notices].count(what)

    def registered(self):
        """It is registered: its Deferred, and its home registrar."""
        started = self.element.start()
        home = self.town.answer(1)
        home.received()
        home.send(granted())
        return started, home


class Starting(Case):
    """Into the pool."""

    def test_registered(self):
        """The Deferred fires when it is registered."""
        started = self.element.start()
        self.assertNoResult(started)
        home = self.town.answer(1)
        [message] = home.received()
        self.assertIsInstance(message, asap.Registration)
        self.assertNoResult(started)
        home.send(granted())
        self.assertIs(self.successResultOf(started), self.element)
        self.assertEqual((self.element.registered, self.element.home),
                         (True, "tcp:127.0.0.1:1"))  # fmt: skip

    def test_refused(self):
        """The Deferred fails with what the registrar refuses."""
        started = self.element.start()
        self.town.answer(1).send(rejected(causes.NonUniquePEIdentifier()))
        failure = self.failureResultOf(started, Refused)
        self.assertIn("belongs to another element", failure.getErrorMessage())

    def test_stopped_before(self):
        """The Deferred fails as cancelled when it is stopped before it is registered."""
        seen = []
        self.element.start().addErrback(lambda failure: seen.append(failure.type))
        self.element.stop()
        self.town.reactor.pump([0, 0])
        self.assertEqual(seen, [CancelledError])

    def test_stopped_before_unheard(self):
        """Whoever doesn't listen to the Deferred isn't bothered by that."""
        self.element.start()
        self.element.stop()
        self.town.reactor.pump([0, 0])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_another_home(self):
        """When the home is lost it registers with another one, and says so."""
        _, home = self.registered()
        self.town.calls()
        home.transport.end()
        self.town.reactor.advance(0)
        self.assertFalse(self.element.registered)
        self.town.reactor.advance(PAUSE)
        other = self.town.answer(2)
        [message] = other.received()
        self.assertEqual(message.element.identifier, 0x2A)
        other.send(granted())
        self.assertEqual((self.told(What.UNLINKED), self.told(What.REGISTERED)), (1, 2))

    def test_keep_alive(self):
        """It answers keep-alives."""
        _, home = self.registered()
        home.send(keep_alive())
        [ack] = home.received()
        self.assertIsInstance(ack, asap.EndpointKeepAliveAck)

    def test_renewal(self):
        """It registers again before its life ends."""
        _, home = self.registered()
        self.town.reactor.pump([70] * 4)
        [message] = home.received()
        self.assertIsInstance(message, asap.Registration)

    def test_update(self):
        """A new policy value is registered at once."""
        _, home = self.registered()
        self.element.update(attrs.evolve(self.element.membership, policy=LeastUsed(load=9)))
        [message] = home.received()
        self.assertEqual(message.element.policy, LeastUsed(load=9))

    def test_plain(self):
        """Where nobody proves anything there is no key to exchange, nor to begin with one."""
        _, home = self.registered()
        for security in (Plain(), PreSharedKey("web-1", b"k" * 32)):
            with self.assertRaises(ValueError):
                self.element.secure(security)
        self.assertEqual((home.closed, home.received()), (False, []))

    def test_identifier(self):
        """A new PE identifier is never 0, and not the one before."""
        numbers = {new_identifier() for _ in range(100)}
        self.assertEqual((len(numbers), 0 in numbers), (100, False))


class Stopping(Case):
    """Out of the pool."""

    def test_stop(self):
        """It de-registers, waits for the answer, and hangs up."""
        _, home = self.registered()
        stopped = self.element.stop()
        [message] = home.received()
        self.assertIsInstance(message, asap.Deregistration)
        self.assertNoResult(stopped)
        home.send(removed())
        self.town.reactor.pump([0, 0, 0])
        self.successResultOf(stopped)
        self.assertTrue(home.closed)
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])

    def test_bounded(self):
        """A registrar that doesn't answer isn't waited for longer than was said."""
        _, home = self.registered()
        stopped = self.element.stop(timeout=3.0)
        self.town.reactor.advance(2.9)
        self.assertNoResult(stopped)
        self.town.reactor.pump([0.2, 0, 0])
        self.successResultOf(stopped)
        self.assertTrue(home.closed)

    def test_without_home(self):
        """With its home lost it waits for another one, in bounds, and de-registers there."""
        _, home = self.registered()
        home.transport.end()
        self.town.reactor.advance(0)
        stopped = self.element.stop(timeout=3.0)
        self.town.reactor.advance(PAUSE)
        other = self.town.answer(2)
        [message] = other.received()
        self.assertIsInstance(message, asap.Deregistration)
        other.send(removed())
        self.town.reactor.pump([0, 0, 0])
        self.successResultOf(stopped)

    def test_never_started(self):
        """What was never started is stopped at once."""
        self.successResultOf(self.element.stop())
        self.successResultOf(self.element.withdraw())

    def test_twice(self):
        """Whoever asks a second time hears of the same end."""
        _, home = self.registered()
        both = [self.element.stop(), self.element.stop()]
        self.assertEqual(len(home.received()), 1)
        home.send(removed())
        self.town.reactor.pump([0, 0, 0])
        for stopped in both:
            self.successResultOf(stopped)

    def test_withdraw_and_back(self):
        """It can leave the pool, stay linked, and come back."""
        _, home = self.registered()
        left = self.element.withdraw()
        home.send(removed())
        self.town.reactor.advance(0)
        self.successResultOf(left)
        started = self.element.start()
        self.assertEqual([type(m) for m in home.received()],
                         [asap.Deregistration, asap.Registration])  # fmt: skip
        home.send(granted())
        self.successResultOf(started)

    def test_overtaken(self):
        """Coming back before having left ends the leaving; it can leave again."""
        _, home = self.registered()
        left = self.element.withdraw()
        self.element.start()
        self.town.reactor.advance(0)
        self.successResultOf(left)
        home.send(removed())
        home.send(granted())
        home.received()
        self.element.stop()
        [message] = home.received()
        self.assertIsInstance(message, asap.Deregistration)

    def test_denied(self):
        """A registrar that refuses to let it go isn't waited for."""
        _, home = self.registered()
        stopped = self.element.stop()
        home.send(removed(causes.RejectedForSecurity()))
        self.town.reactor.pump([0, 0, 0])
        self.successResultOf(stopped)
        self.assertEqual(self.told(What.RETAINED), 1)
