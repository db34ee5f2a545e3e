"""Sessions: identity is settled before the core hears of a connection."""

from types import SimpleNamespace

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.events import Protocol
from rserpool.security.budgets import Rate
from rserpool.security.credentials import Evidence, IProvenKey
from rserpool.security.decisions import Proof, Subject
from rserpool.service.ends import Ends
from rserpool.service.session import Sessions
from rserpool.transport.allowance import Allowance, ConnectionLimits


class Core:
    """Remembers what it is told."""

    def __init__(self):
        self.told = []

    def opened(self, channel, connection):
        """Remember."""
        self.told.append(("opened", channel.subject.name))

    def arrived(self, channel, messages):
        """Remember."""
        self.told.append(("arrived", channel.subject.name))

    def lost(self, channel):
        """Remember."""
        self.told.append(("lost", channel.subject.name))


class Connection:
    """As much of a connection as a session needs."""

    address, port, ended, broken = "192.0.2.1", 4711, False, ""
    addresses, own_addresses, sctp = frozenset({"192.0.2.1"}), (), False

    def __init__(self, evidence=None):
        self.evidence = evidence
        self.held = False
        self.end = self.farewell = ""

    def rtt(self):
        """A tenth of a second."""
        return 0.1

    def hold(self):
        """Remember."""
        self.held = True

    def release(self):
        """Remember."""
        self.held = False

    def close(self, reason):
        """Remember."""
        self.end, self.ended = reason, True
        self.farewell = reason

    abort = close


class Keys:
    """An authentication that answers as it is told; each answer is used once."""

    credentialInterfaces = (IProvenKey,)  # noqa: N815 - twisted.cred's name
    keys, authorities = object(), None

    def __init__(self, *answers):
        self.answers = list(answers)
        self.held = True

    @property
    def checker(self):
        """Itself."""
        return self

    def requestAvatarId(self, credentials):
        """The next answer."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def holds(self, subject):
        """As it is told."""
        return self.held


SUBJECT = Subject("web-1", Proof.PSK, "192.0.2.1")
KEY = Evidence(Proof.PSK, "web-1")


class Settling(SynchronousTestCase):
    """RFC 5355 section 2.1: no state before authentication."""

    def open(self, evidence, *authentications, limits=None):
        """Open a connection with this evidence."""
        self.core = Core()
        self.allowance = Allowance(limits or ConnectionLimits(), lambda: 0.0)
        self.sessions = Sessions(Protocol.ASAP, self.core, authentications, self.allowance)
        connection = Connection(evidence)
        self.sessions.opened(connection)
        return connection

    def test_plain_and_anonymous(self):
        """Without TLS it is plain, with TLS and no proof anonymous; no checker is asked."""
        for evidence, name in ((None, "plain"), (Evidence(Proof.ANONYMOUS), "anonymous")):
            self.open(evidence)
            self.assertEqual(self.core.told, [("opened", name)])

    def test_distance(self):
        """A channel can tell how far away its peer is."""
        self.open(None)
        [channel] = self.sessions.channels
        self.assertEqual(channel.rtt(), 0.1)

    def test_proven(self):
        """A checker's subject makes the channel."""
        connection = self.open(KEY, Keys(SUBJECT))
        self.sessions.arrived(connection, [b"...."])
        self.sessions.lost(connection, Failure(ConnectionDone()))
        self.assertEqual([what for what, _ in self.core.told], ["opened", "arrived", "lost"])

    def test_closed(self):
        """The end of a session is told, and why: in our words if we have ended it."""
        told = []
        for end, failure, expected in (
            ("", Failure(ConnectionDone()), ""),
            ("", Failure(ConnectionLost()), "Connection to the other side was lost"),
            ("it is idle", Failure(ConnectionDone()), "it is idle"),
        ):
            connection = self.open(KEY, Keys(SUBJECT))
            self.sessions.on_event = lambda what, who, why: told.append((what, who.name, why))
            if end:
                connection.close(end)
            self.sessions.lost(connection, failure)
            [(what, name, why)] = told
            self.assertEqual((what, name), ("session.closed", "web-1"))
            self.assertTrue(why.startswith(expected) and bool(why) == bool(expected), why)
            told.clear()

    def test_too_slow(self):
        """A checker that takes too long is a denial; what it says later isn't heard."""
        answer, clock = Deferred(), Clock()
        self.open(None)
        self.sessions._authentications = [Keys(answer)]
        self.sessions.patience = (clock, 5.0)
        told = []
        self.sessions.on_event = lambda what, subject, why: told.append((what, why))
        connection = Connection(KEY)
        self.sessions.opened(connection)
        self.assertTrue(connection.held)
        clock.advance(4.9)
        self.assertFalse(connection.ended)
        clock.advance(0.2)
        self.assertTrue(connection.ended)
        self.assertEqual(told, [("session.refused", "its check took longer than 5 s")])
        answer.callback(SUBJECT)
        self.assertEqual(len(self.core.told), 1)  # of the first one, which was plain

    def test_too_many_of_one(self):
        """A principal has so many connections, wherever it calls from; a lost one is free."""
        limits = ConnectionLimits(connections_per_principal=1)
        first = self.open(KEY, Keys(SUBJECT, SUBJECT, SUBJECT), limits=limits)
        second = Connection(KEY)
        self.sessions.opened(second)
        self.assertEqual(len(self.sessions), 1)
        self.assertIn("too many connections", second.end)
        self.sessions.lost(second, None)
        self.sessions.lost(first, Failure(ConnectionDone()))
        self.sessions.opened(Connection(KEY))
        self.assertEqual(len(self.sessions), 1)

    def test_again_and_again(self):
        """A principal that reconnects gains nothing by it (RFC 5355 section 2.13)."""
        limits = ConnectionLimits(rate=Rate(1, 2))
        first = self.open(KEY, Keys(*[SUBJECT] * 9), limits=limits)
        self.sessions.lost(first, Failure(ConnectionDone()))
        found = []
        for _ in range(3):
            connection = Connection(KEY)
            self.sessions.opened(connection)
            found.append(len(self.sessions))
            self.sessions.lost(connection, Failure(ConnectionDone()))
        self.assertEqual(found, [1, 0, 0])

    def test_uses(self):
        """It is known by which credential sessions are open; who isn't let in has none."""
        connection = self.open(KEY, Keys(SUBJECT))
        [use] = self.sessions.uses
        self.assertEqual((use.subject, use.open), (SUBJECT, 1))
        self.sessions.lost(connection, Failure(ConnectionDone()))
        self.sessions.lost(connection, Failure(ConnectionDone()))
        self.assertEqual((use.open, self.sessions.uses.by_proof[Proof.PSK]), (0, 0))
        self.open(KEY, Keys(UnauthorizedLogin("no")))
        self.assertEqual(list(self.sessions.uses), [])

    def test_broken(self):
        """What TLS says of octets that aren't the peer's is told, and whose session it was."""
        told = []
        for broken in ("", "bad record mac"):
            connection = self.open(KEY, Keys(SUBJECT))
            self.sessions.on_event = lambda *words: told.append(words)
            connection.broken = broken
            self.sessions.lost(connection, Failure(ConnectionDone()))
            self.assertEqual(self.core.told[-1], ("lost", "web-1"))
        closed = ("session.closed", SUBJECT, "")
        broken = ("session.broken", SUBJECT, "bad record mac")
        self.assertEqual(told, [closed, broken, closed])

    def test_in_order(self):
        """The first checker that knows the peer decides."""
        self.open(KEY, Keys(UnauthorizedLogin("no")), Keys(SUBJECT))
        self.assertEqual(self.core.told, [("opened", "web-1")])

    def test_nobody_knows(self):
        """If none does, the connection ends and the core hears nothing."""
        for authentications in (
            (),
            (Keys(UnauthorizedLogin("no")),),
            (Keys(RuntimeError("x")),),
        ):
            connection = self.open(KEY, *authentications)
            self.assertTrue(connection.ended)
            self.assertEqual(self.core.told, [])

    def test_no_subject(self):
        """A checker's answer that is no subject lets nobody in."""
        for answer in (None, "web-1", b"web-1"):
            connection = self.open(KEY, Keys(answer))
            self.assertTrue(connection.ended)
            self.assertEqual(self.core.told, [])

    def test_slow(self):
        """While a checker thinks, the connection is held; then it goes on, or ends."""
        slow = Deferred()
        connection = self.open(KEY, Keys(slow))
        self.assertEqual((connection.held, self.core.told), (True, []))
        slow.callback(SUBJECT)
        self.assertEqual((connection.held, self.core.told), (False, [("opened", "web-1")]))
        slow = Deferred()
        connection = self.open(KEY, Keys(slow))
        slow.errback(UnauthorizedLogin("no"))
        self.assertTrue(connection.ended)

    def test_gone_meanwhile(self):
        """A peer that leaves while the checker thinks never becomes a channel."""
        slow = Deferred()
        connection = self.open(KEY, Keys(slow))
        connection.ended = True
        self.sessions.lost(connection, Failure(ConnectionDone()))
        slow.callback(SUBJECT)
        self.assertEqual(self.core.told, [])
        self.assertEqual(len(self.sessions), 0)

    def test_unheld(self):
        """After a reload the sessions whose credential is gone are closed, and no others."""
        keys = Keys(SUBJECT)
        connection = self.open(KEY, keys)
        self.assertEqual(self.sessions.close_unheld(), 0)
        keys.held = False
        self.assertEqual(self.sessions.close_unheld(), 1)
        self.assertTrue(connection.ended)
        connection = self.open(None, keys)
        self.assertEqual(self.sessions.close_unheld(), 0)

    def test_withheld(self):
        """Who is closed so has left at once, whether he says goodbye or not; and only once."""
        for protocol, told in (
            (Protocol.ASAP, ["opened", "lost"]),
            (Protocol.ENRP, ["opened"]),
        ):
            keys = Keys(SUBJECT)
            self.core = Core()
            self.allowance = Allowance(ConnectionLimits(), lambda: 0.0)
            self.sessions = Sessions(protocol, self.core, [keys], self.allowance)
            connection = Connection(KEY)
            self.sessions.opened(connection)
            keys.held = False
            self.assertEqual(self.sessions.close_unheld(), 1)
            self.assertEqual([what for what, _ in self.core.told], told)
            self.assertEqual(self.sessions.close_unheld(), 0)
            self.sessions.lost(connection, Failure(ConnectionDone()))
            self.assertEqual([what for what, _ in self.core.told], ["opened", "lost"])
            [use] = self.sessions.uses
            self.assertEqual(use.open, 0)

    def test_some(self):
        """The sessions are looked at in parts, each of them in every round."""
        keys = Keys(*(Subject(f"web-{n}", Proof.PSK, "192.0.2.1") for n in range(10)))
        self.core = Core()
        self.sessions = Sessions(
            Protocol.ASAP, self.core, [keys], Allowance(ConnectionLimits(), lambda: 0.0)
        )
        connections = [Connection(KEY) for _ in range(10)]
        for connection in connections:
            self.sessions.opened(connection)
        self.assertEqual([self.sessions.check_some(4) for _ in range(4)], [0] * 4)
        keys.held = False
        closed = []
        for _ in range(4):
            closed.append(self.sessions.check_some(4))
            for connection in connections:
                if connection.ended:
                    self.sessions.lost(connection, Failure(ConnectionDone()))
        self.assertEqual((sum(closed), max(closed)), (10, 3))
        self.assertEqual(self.sessions.check_some(4), 0)

    def ending(self, *ends):
        """Open sessions that end so many seconds from now, on a clock that the test turns."""
        self.clock = Clock()
        self.clock.advance(1_000_000)
        now = self.clock.seconds()
        subjects = [
            Subject(f"web-{n}", Proof.PSK, "192.0.2.1", valid_until=end and now + end)
            for n, end in enumerate(ends)
        ]
        keys = Keys(*subjects)
        keys.holds = lambda subject: (
            keys.held and self.clock.seconds() < (subject.valid_until or 1e9)
        )
        self.sessions = Sessions(
            Protocol.ASAP, Core(), [keys], Allowance(ConnectionLimits(), lambda: 0.0),
            Ends(self.clock, self.clock.seconds),
        )  # fmt: skip
        connections = [Connection(KEY) for _ in ends]
        for connection in connections:
            self.sessions.opened(connection)
        return keys, connections

    def test_ends(self):
        """A session ends to the second with its credential, and no other one does."""
        _, (first, second, never) = self.ending(100, 50.5, None)
        self.clock.advance(50)
        self.assertFalse(second.ended)
        self.clock.advance(0.5)
        self.assertEqual([c.ended for c in (first, second, never)], [False, True, False])
        self.sessions.lost(first, Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_moment(self):
        """When something changes that many rest on, all sessions are looked at, then."""
        keys, connections = self.ending(None, None)
        keys.changes = lambda: (self.clock.seconds() - 1, self.clock.seconds() + 30)
        self.sessions.expect()
        keys.held = False
        self.clock.advance(29.9)
        self.assertEqual([c.ended for c in connections], [False, False])
        self.clock.advance(0.1)
        self.assertEqual([c.ended for c in connections], [True, True])

    def test_stop(self):
        """When the registrar stops, nothing is left to ring."""
        self.ending(100)
        self.sessions.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_reasons(self):
        """When nobody lets it in, the log has what each has said, once."""
        logged = []
        log = SimpleNamespace(info=lambda form, **told: logged.append(form.format(**told)))
        self.patch(Sessions, "_log", log)
        answers = [UnauthorizedLogin(words) for words in ("revoked", "unknown", "revoked")]
        self.open(KEY, *(Keys(answer) for answer in answers))
        self.assertIn("not let in: revoked; unknown", logged[0])
        self.assertEqual(logged[0].count("revoked"), 1)

    def test_cannot_say(self):
        """An authentication that raises when it is asked who may stay lets nobody stay."""
        keys = Keys(SUBJECT)
        connection = self.open(KEY, keys)
        keys.holds = lambda subject: 1 / 0
        self.assertEqual(self.sessions.close_unheld(), 1)
        self.assertTrue(connection.ended)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
