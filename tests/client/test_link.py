"""The link to the home registrar: hunting, performing, hanging up."""

from ipaddress import ip_address

from twisted.internet.error import ConnectError
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Announcements, Plain, What, asap_group, listening
from rserpool.client.announced import T7, TIMEOUT, read
from rserpool.client.call import CALL_TIMEOUT
from rserpool.client.effects import CancelTimer, Hunt, Send, SetTimer
from rserpool.client.element import Element
from rserpool.client.hunt import PAUSE, T5
from rserpool.client.link import Link
from rserpool.client.reception import Visitor
from rserpool.wire import asap
from rserpool.wire.parameters import TCPTransport
from tests.client.scene import Chance, Town, granted, keep_alive, membership
from tests.transport.test_announce import HERE, free_group, shout


class Machine:
    """Remembers what it was told, and wants what the test wants."""

    def __init__(self):
        self.heard = []
        self.wants = {}

    def linked(self, now):
        """There is a home."""
        self.heard.append("linked")
        return self.wants.get("linked", [])

    def unlinked(self):
        """There is none."""
        self.heard.append("unlinked")
        return []

    def arrived(self, data, now):
        """A message."""
        self.heard.append(type(asap.decode(data).message).__name__)
        return self.wants.get("arrived", [])

    def rang(self, name):
        """A timer."""
        self.heard.append(name)
        return []


class Case(SynchronousTestCase):
    """A link to registrars in memory."""

    def setUp(self):
        """It is started."""
        self.town = Town()
        self.machine = Machine()
        self.notices = []
        self.link = None

    def start(self, count):
        """Hunt among so many."""
        self.link = Link(
            self.town.reactor,
            self.town.endpoints(count),
            Plain(),
            self.machine,
            notify=self.notices.append,
            random=Chance(),
        )
        self.link.start()

    def listen(self, count=0, interface=HERE):
        """Hunt among so many, and those that announce themselves."""
        self.group = free_group()
        self.link = Link(
            self.town.reactor,
            self.town.endpoints(count),
            Plain(),
            self.machine,
            notify=self.notices.append,
            random=Chance(),
            announcements=Announcements(
                groups=(self.group,), interface=interface, silent="tcp"
            ),
        )
        self.addCleanup(self.link.stop)
        self.link.start()

    def announce(self, port, source=HERE):
        """A registrar announces itself; whom that makes us call."""
        self.announce_only(port, source)
        for reader in self.town.reactor.getReaders():
            reader.doRead()
        return self.town.calls()

    def announce_only(self, port, source):
        """The same, without reading."""
        where = TCPTransport(port=port, addresses=(ip_address(HERE),))
        octets = asap.encode(asap.ServerAnnounce(server=port, transports=(where,)))
        shout(self.group, octets, source=source)

    def told(self):
        """What has happened."""
        return [notice.what for notice in self.notices]

    def pass_time(self, seconds):
        """Let time pass."""
        self.town.reactor.advance(seconds)


class Finding(Case):
    """A home registrar."""

    def test_none(self):
        """Without any registrar to call there is nothing to start."""
        with self.assertRaises(ValueError):
            self.start(0)

    def test_found(self):
        """The first that answers is home; the machine and the application are told."""
        self.start(3)
        self.assertEqual(self.town.calls(), [1, 2, 3])
        self.town.answer(2)
        self.assertEqual((self.machine.heard, self.link.home), (["linked"], "tcp:127.0.0.1:2"))
        self.assertEqual(self.told(), [What.TRYING] * 3 + [What.LINKED])

    def test_others_are_given_up(self):
        """When there is a home, the other calls are given up."""
        self.start(2)
        self.town.answer(1)
        self.assertTrue(self.town.reactor.connectors[1].stoppedConnecting)

    def test_refused(self):
        """A call that is refused gives way to the next registrar, and is explained."""
        self.start(4)
        self.town.calls()
        self.town.refuse(2)
        self.assertEqual(self.town.calls(), [4])
        self.assertIn("tcp:127.0.0.1:2: nobody listens", self.notices[3].words)

    def test_nobody(self):
        """When all have refused they are called again, after a pause."""
        self.start(1)
        self.town.calls()
        self.town.refuse(1)
        self.assertEqual(self.town.calls(), [])
        self.pass_time(PAUSE)
        self.assertEqual(self.town.calls(), [1])

    def test_silence(self):
        """One that doesn't answer is given up, and explained."""
        self.start(1)
        self.pass_time(CALL_TIMEOUT)
        self.assertEqual(self.told()[:2], [What.TRYING, What.UNREACHABLE])
        self.assertIn("didn't answer within", self.notices[1].words)

    def test_long_outage(self):
        """However long nobody answers, there is one call after the other, never a flood."""
        self.start(2)
        for _ in range(2000):
            self.pass_time(T5)
        calls = len(self.town.calls())
        self.assertGreater(calls, 100)
        self.assertLess(calls, 4000)
        self.assertLess(len(self.town.reactor.getDelayedCalls()), 10)


class Losing(Case):
    """A home registrar."""

    def setUp(self):
        """There is a home."""
        super().setUp()
        self.start(2)
        self.home = self.town.answer(1)
        self.town.calls()
        self.pass_time(60)

    def test_lost(self):
        """A home that hangs up is left, another one is called at once, and then itself."""
        self.home.transport.end()
        self.pass_time(0)
        self.assertEqual(self.machine.heard, ["linked", "unlinked"])
        self.assertEqual(self.town.calls(), [2])
        self.pass_time(PAUSE)
        self.assertEqual(self.town.calls(), [1])
        self.assertEqual(self.told()[-3:], [What.UNLINKED, What.TRYING, What.TRYING])

    def test_not_serving_yet(self):
        """One that hangs up at once, because it is starting, gives way to the next at once."""
        self.home.transport.end()
        self.pass_time(0)
        self.town.answer(2).transport.end()
        self.town.calls()
        self.pass_time(0)
        [lost] = [n.words for n in self.notices[-2:] if n.what is What.UNLINKED]
        self.assertIn("not serve yet", lost)
        self.assertEqual(self.town.calls(), [])  # both have had their turn
        self.pass_time(PAUSE)
        self.assertEqual(sorted(self.town.calls()), [1, 2])

    def test_left(self):
        """A home that the machine wants to leave is cut off, and no more is heard of it."""
        self.machine.wants["arrived"] = [Hunt("it talks nonsense")]
        self.home.send(granted(), keep_alive())
        self.assertTrue(self.home.closed)
        self.assertEqual(self.machine.heard, ["linked", "RegistrationResponse", "unlinked"])
        [left] = [notice.words for notice in self.notices if notice.what is What.UNLINKED]
        self.assertIn("it talks nonsense", left)

    def test_no_loop(self):
        """A registrar that takes calls only to end them isn't called in a loop."""
        self.home.transport.end()
        self.pass_time(0)
        for _ in range(600):
            self.pass_time(0.1)
            for port in self.town.calls()[:1]:
                self.town.answer(port).transport.end()
        # two in each of the rounds between which the pauses are 0.4 s, 0.8 s, 1.5 s...
        self.assertLess(self.told().count(What.LINKED), 18)


class Performing(Case):
    """What the machine wants."""

    def setUp(self):
        """There is a home."""
        super().setUp()
        self.start(1)
        self.home = self.town.answer(1)

    def test_send(self):
        """Messages go to the home registrar."""
        self.link.perform([Send(asap.encode(keep_alive()))])
        self.assertEqual(self.home.received(), [keep_alive()])

    def test_timers(self):
        """A timer rings once, when it is due, unless it is set again or cancelled."""
        self.link.perform([SetTimer("a", 5), SetTimer("b", 5), SetTimer("c", 5)])
        self.link.perform([SetTimer("a", 7), CancelTimer("b"), CancelTimer("x")])
        self.pass_time(6)
        self.assertEqual(self.machine.heard, ["linked", "c"])
        self.pass_time(6)
        self.assertEqual(self.machine.heard, ["linked", "c", "a"])

    def test_stop(self):
        """After `stop` nothing is left: no connection, no timer, no call."""
        self.link.perform([SetTimer("a", 5)])
        self.link.stop()
        self.pass_time(0)
        self.assertTrue(self.home.closed)
        self.assertEqual((self.town.reactor.getDelayedCalls(), self.link.home), ([], None))
        self.link.perform([Send(b""), SetTimer("a", 5)])
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])

    def test_start_again(self):
        """It can be started again after it was stopped."""
        self.link.stop()
        self.pass_time(0)
        self.town.calls()
        self.link.start()
        self.assertEqual(self.town.calls(), [1])
        self.town.answer(1)
        self.assertEqual(self.machine.heard, ["linked", "unlinked", "linked"])

    def test_stopped_while_calling(self):
        """A call that is under way is given up."""
        self.start(2)
        self.link.stop()
        self.flushLoggedErrors(ConnectError)
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])


class Announced(Case):
    """Registrars that announce themselves."""

    def test_found(self):
        """Nobody is configured: the first who announces himself and answers is home."""
        self.listen()
        self.assertEqual(self.announce(5001), [5001])
        self.town.answer(5001)
        self.assertEqual(
            (self.machine.heard, self.link.home), (["linked"], "tcp:127.0.0.1:5001")
        )

    def test_configured(self):
        """Who is configured and announces himself, too, is one registrar."""
        self.listen(1)
        self.assertEqual(self.town.calls(), [1])
        known = dict(self.link._registrars)
        self.link._learn("tcp:127.0.0.1:1")
        self.assertEqual((self.link._registrars, self.town.calls()), (known, []))
        self.link._forget("tcp:127.0.0.1:1")
        self.assertEqual(self.link._registrars, known)

    def test_outdated(self):
        """Who is silent for T7 isn't called any more; who is home stays home."""
        self.listen()
        self.announce(5001)
        self.announce(5002, source="127.0.0.2")
        home = self.town.answer(5001)
        self.town.calls()
        self.pass_time(T7)
        self.assertEqual(self.link.home, "tcp:127.0.0.1:5001")
        home.transport.end()
        for _ in range(100):
            self.pass_time(1)
        self.assertEqual(self.town.calls(), [])
        self.assertEqual(self.announce(5003), [5003])

    def test_repeated(self):
        """Who goes on announcing himself is called again when the connection is lost."""
        self.listen()
        self.announce(5001)
        home = self.town.answer(5001)
        for _ in range(20):
            self.pass_time(1)
            self.assertEqual(self.announce(5001), [])
        home.transport.end()
        self.pass_time(0)
        self.pass_time(PAUSE)
        self.assertEqual(self.town.calls(), [5001])

    def test_back_in_time(self):
        """Home, outdated, and announced again: it is called again like any."""
        self.listen()
        self.announce(5001)
        home = self.town.answer(5001)
        self.pass_time(T7 + 1)
        self.announce(5001)
        home.transport.end()
        self.pass_time(0)
        self.pass_time(PAUSE)
        self.assertEqual(self.town.calls(), [5001])

    def test_patience(self):
        """A call to who was only announced ends sooner, and its place is free then."""
        self.listen()
        self.announce(5001)
        self.pass_time(TIMEOUT)
        self.assertIn(f"didn't answer within {TIMEOUT:g}", self.notices[-1].words)
        self.assertTrue(self.link._listening._list._entries["tcp:127.0.0.1:5001"].failed)

    def test_decoded(self):
        """Of a flood few are decoded; who was listed before it is known by its octets."""
        self.listen()
        self.announce(5001)
        self.town.answer(5001)
        decoded = []

        def counted(*what):
            decoded.append(what)
            return read(*what)

        self.patch(listening, "read", counted)
        for second in range(10):
            for number in range(60):
                # From its own address: nobody can tell who has sent them.
                self.announce_only(7000 + 60 * second + number, HERE)
            self.announce(5001)
            self.pass_time(1)
        self.assertLessEqual(
            len(decoded), listening.FROM_ONE.burst + 10 * listening.FROM_ONE.per_second
        )
        self.assertLessEqual(len(self.link._listening._known), listening.REMEMBERED)
        self.assertIn("tcp:127.0.0.1:5001", self.link._listening._list)

    def test_no_transport(self):
        """One that can't be called is told, and takes no turn."""
        self.listen()
        self.link._security = Uncallable()
        self.assertEqual(self.announce(5001), [])
        [notice] = self.notices
        self.assertEqual(notice.what, What.UNREACHABLE)
        self.assertIn("tcp:127.0.0.1:5001, as it was announced: no way", notice.words)

    def test_no_group(self):
        """A group that can't be joined is told once, and tried again."""
        self.listen(interface="nosuch0")
        for _ in range(100):
            self.pass_time(1)
        [notice] = self.notices
        self.assertIn("nosuch0", notice.words)
        self.link.stop()
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])

    def test_stop(self):
        """After `stop` nobody listens, and nobody is known; it can be started again."""
        self.listen()
        self.announce(5001)
        self.town.answer(5001)
        self.pass_time(T7 + 1)
        self.link.stop()
        self.pass_time(0)
        reactor = self.town.reactor
        self.assertEqual((reactor.getReaders(), reactor.getDelayedCalls()), ([], []))
        self.assertEqual(self.link._registrars, {})
        self.link.start()
        self.assertEqual(self.announce(5002), [5002])

    def test_nobody(self):
        """Neither registrars nor groups: there is nothing to do."""
        with self.assertRaises(ValueError):
            Announcements(groups=())

    def test_by_name(self):
        """Programs name groups as operators do."""
        heard = Announcements(groups=(asap_group("239.0.0.50"), asap_group("iana6")))
        self.assertEqual(
            [str(group) for group in heard.groups], ["239.0.0.50:3863", "[ff05::133]:3863"]
        )

    def test_flood(self):
        """Forged announcements by the thousand cause a few calls; an honest one is found."""
        self.listen()
        calls, found = 0, False
        for second in range(40):
            for number in range(60):
                self.announce_only(6000 + 100 * second + number, f"127.0.1.{number % 5}")
            if second > 5:
                self.announce_only(5001, "127.0.0.9")
            for reader in self.town.reactor.getReaders():
                reader.doRead()
            while new := self.town.calls():
                calls += len(new)
                for port in new:
                    if port == 5001:
                        found = True
                        self.town.answer(port)
                    else:
                        self.town.refuse(port)
            self.pass_time(1)
            if found:
                break
        self.assertTrue(found)
        self.assertLess(calls, 40 * 5 + 32 * 8)


class Uncallable:
    """Nothing can be shown to anybody."""

    def creator(self, host):
        """As if there were no key."""
        raise ValueError("no way")


class Caller:
    """The connection of a registrar that has called."""

    addresses, port, ended = frozenset({"192.0.2.9"}), 3863, False

    def __init__(self):
        self.sent = []
        self.end = ""

    def write(self, data):
        """Remember."""
        self.sent.append(asap.decode(data).message)

    def close(self, reason):
        """Remember."""
        self.end, self.ended = f"closed: {reason}", True

    def abort(self, reason):
        """Remember."""
        self.end, self.ended = f"aborted: {reason}", True


class Visited(Case):
    """Registrars that call an element."""

    def setUp(self):
        """It is registered with the only one that it knows."""
        super().setUp()
        self.machine = Element(membership())
        self.machine.join()
        self.start(1)
        self.home = self.town.answer(self.town.calls()[0])
        self.visitor = Visitor(Caller())

    def call(self, message):
        """A registrar calls, and says this; what it is answered."""
        self.link.visited(self.visitor, [asap.encode(message)])
        return [type(each).__name__ for each in self.visitor.connection.sent]

    def test_adopted(self):
        """With H it is home: the one before is hung up, and it registers with the new one."""
        sent = self.call(keep_alive(server=7, new_home=True))
        self.assertEqual(sent, ["EndpointKeepAliveAck", "Registration"])
        self.assertEqual(self.visitor.connection.sent[-1].element.home, 7)
        self.assertEqual(self.link.home, "sctp:192.0.2.9:3863")
        self.assertIn(What.ADOPTED, self.told())
        self.pass_time(0)
        self.assertTrue(self.home.transport.over)
        self.link.visited(self.visitor, [asap.encode(granted())])
        self.assertTrue(self.machine.registered)

    def test_hunting(self):
        """One that looks for a home has found it, and calls nobody any more."""
        self.home.transport.end()
        self.pass_time(0)
        self.pass_time(PAUSE)
        self.assertEqual(len(self.town.calls()), 1)
        self.call(keep_alive(server=7, new_home=True))
        self.pass_time(T5 * 2)
        self.assertEqual(self.town.calls(), [])

    def test_lost(self):
        """When it hangs up, those that are known are called again."""
        self.call(keep_alive(server=7, new_home=True))
        self.link.left(self.visitor, "the connection was lost")
        self.assertEqual(self.notices[-2].what, What.UNLINKED)
        self.assertEqual(len(self.town.calls()), 1)
        self.link.left(self.visitor, "again")

    def test_asked(self):
        """Without H it is answered, and nothing else changes."""
        self.assertEqual(self.call(keep_alive(server=7)), ["EndpointKeepAliveAck"])
        self.assertTrue(self.link.home.startswith("tcp:"))

    def test_nonsense(self):
        """Who says anything else is cut off."""
        self.call(asap.HandleResolution(handle=b"web"))
        self.assertIn("aborted", self.visitor.connection.end)
