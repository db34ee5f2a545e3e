"""The pool user for applications."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Announcements, NoAnswer, Plain, PoolUser
from rserpool.client.pool_user import TIMEOUT
from rserpool.client.user import T1_SECONDS
from rserpool.wire import asap
from rserpool.wire.causes import UnknownPoolHandle
from tests.client.scene import Chance, Town, resolved, unresolved
from tests.transport.test_announce import HERE, free_group


class Case(SynchronousTestCase):
    """A user among registrars in memory."""

    def setUp(self):
        """It has asked nothing."""
        self.town = Town()
        self.user = self.make()

    def make(self, **more):
        """Make a user."""
        return PoolUser(
            self.town.reactor, self.town.endpoints(2), Plain(), rng=Chance(), **more
        )


class Resolving(Case):
    """Who is in a pool."""

    def test_resolved(self):
        """The first question finds a registrar, and its answer fires the Deferred."""
        asked = self.user.resolve(b"web", items=2)
        home = self.town.answer(1)
        [message] = home.received()
        self.assertEqual((message.handle, message.items), (b"web", 2))
        home.send(resolved(1, 2))
        found = self.successResultOf(asked)
        self.assertEqual([one.identifier for one in found.elements], [1, 2])
        self.assertEqual(self.user.chooser(found).choose().identifier, 1)

    def test_same_connection(self):
        """Further questions go by the same connection."""
        self.user.resolve(b"web")
        home = self.town.answer(1)
        self.town.calls()
        home.send(resolved(1))
        self.user.resolve(b"web")
        self.assertEqual((len(home.received()), self.town.calls()), (2, []))

    def test_refused(self):
        """A refusal is an answer."""
        asked = self.user.resolve(b"web")
        self.town.answer(1).send(unresolved(UnknownPoolHandle()))
        self.assertEqual(self.successResultOf(asked).refusal, UnknownPoolHandle())

    def test_nobody(self):
        """When no registrar can be reached, `NoAnswer` says what was wrong with each."""
        asked = self.user.resolve(b"web", timeout=5.0)
        self.town.refuse(1)
        self.town.refuse(2)
        self.town.reactor.pump([0.1] * 51)
        words = self.failureResultOf(asked, NoAnswer).getErrorMessage()
        self.assertIn("tcp:127.0.0.1:1: nobody listens", words)
        self.assertIn("tcp:127.0.0.1:2: nobody listens", words)

    def test_silent_registrar(self):
        """A registrar that doesn't answer is left for another, which is asked."""
        asked = self.user.resolve(b"web")
        silent = self.town.answer(1)
        self.town.calls()
        self.town.reactor.pump([T1_SECONDS, 1])
        self.assertTrue(silent.closed)
        self.assertIn(2, self.town.calls())
        other = self.town.answer(2)
        other.send(resolved(1))
        self.successResultOf(asked)

    def test_silence(self):
        """A resolution ends within its time, whoever is silent."""
        asked = self.user.resolve(b"web")
        self.town.answer(1)
        self.town.reactor.pump([1] * int(TIMEOUT))
        self.failureResultOf(asked, NoAnswer)

    def test_nobody_announced(self):
        """Who only listens for registrars is told that none has announced itself."""
        groups = Announcements(groups=(free_group(),), interface=HERE)
        user = PoolUser(self.town.reactor, [], Plain(), announcements=groups)
        asked = user.resolve(b"web", timeout=2.0)
        self.town.reactor.advance(2)
        words = self.failureResultOf(asked, NoAnswer).getErrorMessage()
        self.assertEqual(words, "no registrar answered, or announced itself, within 2 seconds")
        user.close()

    def test_one_timeout(self):
        """One question's end isn't another one's."""
        short = self.user.resolve(b"web", timeout=1.0)
        long = self.user.resolve(b"web", timeout=10.0)
        home = self.town.answer(1)
        self.town.reactor.advance(2)
        self.failureResultOf(short, NoAnswer)
        home.send(resolved(1))
        self.successResultOf(long)

    def test_cancelled(self):
        """A question may be cancelled; its late answer is let go."""
        asked = self.user.resolve(b"web")
        home = self.town.answer(1)
        asked.cancel()
        self.failureResultOf(asked)
        home.send(resolved(1))

    def test_cache(self):
        """With a stale time, an answer is used again."""
        self.user = self.make(stale=10.0)
        self.user.resolve(b"web")
        home = self.town.answer(1)
        home.send(resolved(1))
        home.received()
        self.successResultOf(self.user.resolve(b"web"))
        self.assertEqual(home.received(), [])

    def test_close(self):
        """Closing hangs up, fails what still waits, and leaves no timer."""
        asked = self.user.resolve(b"web")
        home = self.town.answer(1)
        self.user.close()
        self.failureResultOf(asked, NoAnswer)
        self.town.reactor.advance(0)
        self.assertTrue(home.closed)
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])


class Watching(Case):
    """Every change of a pool."""

    def test_updates(self):
        """Each update is told, until it is watched no more."""
        seen = []
        self.user.watch(b"web", seen.append)
        home = self.town.answer(1)
        [message] = home.received()
        self.assertTrue(message.subscribe)
        home.send(resolved(1, updates=True), resolved(1, 2, updates=True))
        self.user.unwatch(b"web")
        home.send(resolved(2, updates=True))
        self.assertEqual([len(found.elements) for found in seen], [1, 2])


class Reporting(Case):
    """An element that can't be reached."""

    def test_report(self):
        """It is told to the registrar, once; a user without one finds one first."""
        self.user.report(b"web", 7)
        self.user.report(b"web", 7)
        home = self.town.answer(1)
        self.assertEqual(
            home.received(), [asap.EndpointUnreachable(handle=b"web", identifier=7)]
        )
