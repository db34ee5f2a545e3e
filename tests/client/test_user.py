"""A pool user's side of ASAP (RFC 5352 sections 3.3, 3.5 and 3.7.2)."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import RFC, RSPLIB, What
from rserpool.client.effects import CancelTimer, Hunt
from rserpool.client.user import (
    MAX_REQUEST_RETRANSMIT,
    T1_SECONDS,
    User,
)
from rserpool.wire import asap
from rserpool.wire.causes import RejectedForSecurity, UnknownPoolHandle
from rserpool.wire.errors import EncodeError
from rserpool.wire.parameters import OperationError
from rserpool.wire.policies import LeastUsed, RoundRobin
from tests.client.scene import resolved, sent, timers, told, unresolved


class Case(SynchronousTestCase):
    """A user, and what its registrar says to it."""

    def setUp(self):
        """It is linked and has asked nothing."""
        self.user = User()
        self.now = 1000.0
        self.user.linked(0.0)
        self.answers = []

    def ask(self, handle=b"web", items=None, answers=None):
        """The application asks."""
        answers = self.answers if answers is None else answers
        return self.user.resolve(handle, items, answers.append, self.now)

    def hear(self, message):
        """The registrar says this."""
        return self.user.arrived(asap.encode(message), self.now)

    def found(self, answers=None):
        """The identifiers in the answers that came."""
        answers = self.answers if answers is None else answers
        return [[one.identifier for one in answer.elements] for answer in answers]


class Resolving(Case):
    """Who is in a pool (section 3.3)."""

    def test_question(self):
        """It asks by handle, for as many as are wanted (NR1, NR3), and T1 runs (NR4)."""
        effects = self.ask(items=3)
        [message] = sent(effects)
        self.assertEqual((message.handle, message.items, message.subscribe), (b"web", 3, False))
        self.assertEqual(list(timers(effects).values()), [T1_SECONDS])

    def test_rsplib(self):
        """A registrar of rsplib is told that all are wanted, and no handle it can't bear."""
        user = User(dialect=RSPLIB)
        user.linked(0.0)
        for items, said in ((None, 0xFFFFFFFF), (2, 2)):
            [message] = sent(user.resolve(b"web", items, self.answers.append, 0.0))
            self.assertEqual(message.items, said)
        user.arrived(asap.encode(resolved(1, 2, 3)), 0.0)
        user.arrived(asap.encode(resolved(1, 2, 3)), 0.0)
        self.assertEqual(self.found(), [[1, 2, 3], [1, 2]])
        for ask in (user.resolve, user.watch):
            arguments = (None, self.answers.append, 0.0) if ask == user.resolve else (print,)
            with self.assertRaises(EncodeError):
                ask(bytes(33), *arguments)
        [message] = sent(user.watch(bytes(32), print))
        self.assertEqual(message.items, 0xFFFFFFFF)

    def test_watch_rsplib(self):
        """A registrar of rsplib tells of no changes: it is asked again and again."""
        user, seen = User(dialect=RSPLIB), []
        user.linked(0.0)
        user.watch(b"web", seen.append)
        for _ in range(3):
            effects = user.arrived(asap.encode(resolved(1, updates=False)), 0.0)
            again = {n: s for n, s in timers(effects).items() if s == RSPLIB.watch_again}
            [name] = again
            [message] = sent(user.rang(name))
            self.assertTrue(message.subscribe)
        self.assertEqual(len(seen), 3)

    def test_answer(self):
        """The answer stops T1 and has the elements in the registrar's order."""
        [name] = timers(self.ask())
        effects = self.hear(resolved(3, 1, 2, policy=LeastUsed(load=0)))
        self.assertEqual((effects, self.found()), ([CancelTimer(name)], [[3, 1, 2]]))
        self.assertEqual(self.answers[0].policy, LeastUsed(load=0))

    def test_default_policy(self):
        """A pool whose policy isn't told is round robin."""
        self.ask()
        self.hear(asap.HandleResolutionResponse(
            accepted_updates=False, handle=b"web", policy=None, elements=(), error=None,
        ))  # fmt: skip
        self.assertEqual(self.answers[0].policy, RoundRobin())

    def test_refusal(self):
        """A refusal is an answer, too, with its cause."""
        self.ask()
        self.hear(unresolved(UnknownPoolHandle()))
        self.assertEqual(self.answers[0].refusal, UnknownPoolHandle())

    def test_bad_handle(self):
        """A handle that no message can hold is refused before anything is asked."""
        self.assertRaises(EncodeError, self.ask, b"x" * 70000)
        self.assertEqual(self.user.linked(0.0), [])

    def test_without_home(self):
        """Without a home registrar nothing is sent; it is when there is one (NR2)."""
        self.user.unlinked()
        self.assertEqual(self.ask(), [])
        self.assertEqual([m.handle for m in sent(self.user.linked(0.0))], [b"web"])

    def test_each_its_own(self):
        """Questions are answered each by its pool, whatever the order."""
        others = []
        self.ask()
        self.ask(b"db", answers=others)
        self.hear(resolved(7, handle=b"db"))
        self.hear(resolved(1))
        self.assertEqual((self.found(), self.found(others)), ([[1]], [[7]]))

    def test_same_pool_twice(self):
        """Two questions for the same pool get the answers in their order."""
        others = []
        self.ask()
        self.ask(answers=others)
        self.hear(resolved(1))
        self.hear(resolved(2))
        self.assertEqual((self.found(), self.found(others)), ([[1]], [[2]]))

    def test_unasked(self):
        """An answer that nobody asked for is let go."""
        self.assertEqual(self.hear(resolved(1)), [])

    def test_too_many(self):
        """More elements than were wanted are cut off."""
        self.ask(items=2)
        self.hear(resolved(1, 2, 3))
        self.assertEqual(self.found(), [[1, 2]])

    def test_forgotten(self):
        """A question that nobody waits for any more isn't asked again, others are."""
        others = []
        self.ask()
        self.ask(answers=others)
        self.user.forget(self.answers.append)
        self.user.unlinked()
        self.assertEqual(len(sent(self.user.linked(0.0))), 1)

    def test_nonsense(self):
        """A registrar that sends nonsense is left."""
        [hunt] = self.user.arrived(b"\x06\x00\x00\x02", 0.0)
        self.assertIsInstance(hunt, Hunt)

    def test_error(self):
        """An ASAP_ERROR is told."""
        error = asap.Error(error=OperationError(causes=(RejectedForSecurity(),)))
        self.assertEqual(told(self.hear(error)), [What.COMPLAINED])

    def test_cache(self):
        """A fresh answer is used again without asking (C1, C4); a failure ends that."""
        self.user = User(stale=10.0)
        self.user.linked(0.0)
        self.ask()
        self.hear(resolved(1))
        self.assertEqual(self.ask(), [])
        self.assertEqual(self.found(), [[1], [1]])
        self.user.report(b"web", 1, self.now)
        self.assertEqual(len(sent(self.ask())), 1)


class Unanswered(Case):
    """T1 (section 3.7.2)."""

    def again(self, name):
        """T1 rings; the user leaves its registrar and finds another."""
        effects = self.user.rang(name)
        self.assertEqual([type(effect) for effect in effects], [Hunt])
        self.user.unlinked()
        return self.user.linked(0.0)

    def test_asked_elsewhere(self):
        """When T1 rings it looks for another registrar and asks that one."""
        [name] = timers(self.ask())
        effects = self.again(name)
        self.assertEqual((len(sent(effects)), timers(effects)), (1, {name: T1_SECONDS}))
        self.hear(resolved(1))
        self.assertEqual(self.found(), [[1]])

    def test_given_up(self):
        """After MAX-REQUEST-RETRANSMIT repetitions the application is told."""
        [name] = timers(self.ask())
        for _ in range(MAX_REQUEST_RETRANSMIT):
            self.again(name)
        self.assertEqual((self.user.rang(name), self.answers), ([], [None]))
        self.assertEqual(self.user.linked(0.0), [])

    def test_own_timers(self):
        """A question's T1 isn't put off by other questions, nor by their answers."""
        [first] = timers(self.ask())
        effects = self.ask(b"db", answers=[])
        effects += self.hear(resolved(7, handle=b"db"))
        self.assertNotIn(first, timers(effects))
        self.assertNotIn(CancelTimer(first), effects)

    def test_late_ring(self):
        """A T1 that rings after its answer does nothing."""
        [name] = timers(self.ask())
        self.hear(resolved(1))
        self.assertEqual(self.user.rang(name), [])

    def test_home_lost(self):
        """Without a home no T1 runs."""
        [name] = timers(self.ask())
        self.assertEqual(self.user.unlinked(), [CancelTimer(name)])


class Watching(Case):
    """Every change of a pool (the S bit, section 2.2.5)."""

    def watch(self):
        """The application watches ``web``."""
        return self.user.watch(b"web", self.answers.append)

    def test_subscription(self):
        """It asks with the S bit, and hears the answer and each update."""
        [message] = sent(self.watch())
        self.assertTrue(message.subscribe)
        for identifiers in ((1,), (1, 2), (2,)):
            self.hear(resolved(*identifiers, updates=True))
        self.assertEqual(self.found(), [[1], [1, 2], [2]])

    def test_new_home(self):
        """At a new home registrar the subscription is made again."""
        self.watch()
        self.hear(resolved(1, updates=True))
        self.user.unlinked()
        [message] = sent(self.user.linked(0.0))
        self.assertTrue(message.subscribe)
        self.hear(resolved(2, updates=True))
        self.assertEqual(self.found(), [[1], [2]])

    def test_asked_once(self):
        """Several who watch one pool make one question at a new home."""
        others = []
        self.watch()
        self.user.watch(b"web", others.append)
        self.hear(resolved(1, updates=True))
        self.hear(resolved(1, updates=True))
        self.user.unlinked()
        self.assertEqual(len(sent(self.user.linked(0.0))), 1)
        self.hear(resolved(2, updates=True))
        self.assertEqual((self.found()[-1], self.found(others)[-1]), ([2], [2]))

    def test_no_such_pool(self):
        """A pool that isn't there can't be watched, and is asked for again."""
        self.watch()
        effects = self.hear(unresolved(UnknownPoolHandle()))
        [(name, seconds)] = timers(effects).items()
        self.assertEqual(
            (self.answers[0].refusal, seconds), (UnknownPoolHandle(), RFC.watch_again)
        )
        [message] = sent(self.user.rang(name))
        self.assertTrue(message.subscribe)

    def test_no_updates(self):
        """A registrar that sends no updates (A is 0) is asked again and again."""
        self.watch()
        effects = self.hear(resolved(1))
        self.assertEqual(list(timers(effects).values()), [RFC.watch_again])

    def test_no_end(self):
        """A watcher's question is never given up."""
        [name] = timers(self.watch())
        for _ in range(MAX_REQUEST_RETRANSMIT + 3):
            self.assertIsInstance(self.user.rang(name)[0], Hunt)
            self.user.unlinked()
            self.user.linked(0.0)

    def test_unwatch(self):
        """Who watches no more hears no more, and is not asked for at a new home."""
        self.watch()
        self.hear(resolved(1, updates=True))
        self.user.unwatch(b"web")
        self.assertEqual(self.hear(resolved(2, updates=True)), [])
        self.user.unlinked()
        self.assertEqual((self.user.linked(0.0), self.found()), ([], [[1]]))

    def test_unwatch_before_answer(self):
        """Who watches no more before the answer leaves no T1 behind."""
        [name] = timers(self.watch())
        self.assertIn(CancelTimer(name), self.user.unwatch(b"web"))

    def test_beside_a_question(self):
        """An update in place of an answer tells both who asked and who watches."""
        asked = []
        self.watch()
        self.hear(resolved(1, updates=True))
        self.ask(items=1, answers=asked)
        self.hear(resolved(2, 3, updates=True))
        self.assertEqual((self.found(asked), self.found()), ([[2]], [[1], [2, 3]]))

    def test_cancelled_without_home(self):
        """Without a home nothing is asked again in vain."""
        self.watch()
        [name] = timers(self.hear(resolved(1)))
        self.assertIn(CancelTimer(name), self.user.unlinked())


class Reporting(Case):
    """An element that can't be reached (section 3.5)."""

    def test_sent(self):
        """It is told to the registrar."""
        [message] = sent(self.user.report(b"web", 1, self.now))
        self.assertEqual(message, asap.EndpointUnreachable(handle=b"web", identifier=1))

    def test_once(self):
        """Only once."""
        self.user.report(b"web", 1, self.now)
        self.assertEqual(self.user.report(b"web", 1, self.now), [])

    def test_without_home(self):
        """Without a home it is kept, and told to the next one."""
        self.user.unlinked()
        self.assertEqual(self.user.report(b"web", 1, self.now), [])
        self.assertEqual(len(sent(self.user.linked(0.0))), 1)
