"""Announcements by multicast, ours and others' (RFC 5352 section 3.6, RFC 5353 section 3.1)."""

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.announcing import (
    CALLS_BURST,
    CALLS_PER_SECOND,
    LONGEST,
    MAXIMUM_OTHERS,
    T7,
)
from rserpool.registrar.events import Protocol
from rserpool.registrar.targets import LATER, MAXIMUM_OVERHEARD
from rserpool.wire import asap, enrp
from rserpool.wire.parameters import SCTPTransport, ServerInformation, TCPTransport
from tests.registrar.scope import ME, Scope
from tests.vectors import vectors

OTHER = 0x99
ASAP = TCPTransport(port=3863, addresses=(ip_address("192.0.2.1"),))
FIVE = 5.0


def presence(sender=OTHER, port=9901, cls=TCPTransport, address="192.0.2.66", **fields):
    """Another registrar's, as it goes to a group."""
    where = cls(port=port, addresses=(ip_address(address),))
    server = ServerInformation(identifier=sender, transport=where)
    return enrp.Presence(**{"sender": sender, "checksum": 0xFFFF, "server": server, **fields})


class Announced(SynchronousTestCase):
    """To pool elements and users."""

    def start(self, *targets, **settings):
        """A registrar that announces itself."""
        return Scope(*targets, announces=True, asap_transports=(ASAP,), **settings)

    def count(self, scope, seconds=10.0):
        """How many it sends in so many seconds."""
        scope.announced.clear()
        scope.wait(seconds)
        return len(scope.announced)

    def hear(self, scope, *others):
        """These announce themselves."""
        for other in others:
            scope.overhear(asap.ServerAnnounce(server=other), protocol=Protocol.ASAP)

    def test_off(self):
        """Unless it is switched on, nothing is announced."""
        scope = Scope()
        scope.wait(100)
        self.assertEqual(scope.announced, [])

    def test_at_once(self):
        """It tells who it is and where, at the start and each T6-Serverannounce."""
        scope = self.start()
        self.assertEqual(scope.announced, [asap.ServerAnnounce(server=ME, transports=(ASAP,))])
        self.assertEqual(self.count(scope), 10)
        self.assertEqual(self.count(self.start(server_announce=0.25)), 40)

    def test_not_serving(self):
        """Who isn't complete yet would send away who comes: nothing is announced."""
        scope = self.start("tcp:127.0.0.1:1")
        scope.wait(10)
        self.assertEqual(scope.announced, [])
        scope.perform(scope.registrar.unreachable("tcp:127.0.0.1:1", scope.now))
        self.assertTrue(scope.serving)
        self.assertGreater(self.count(scope), 0)

    def test_others(self):
        """N others that announce themselves make it N + 1 times as rare, until T7 is over."""
        scope = self.start(server_announce=0.2)
        self.hear(scope, 1, 2, 3, ME)
        self.hear(scope, 1)
        scope.wait(0.5)
        self.assertEqual(self.count(scope, 4.0), 5)
        scope.wait(T7)
        self.assertEqual(self.count(scope, 4.0), 20)

    def test_forged(self):
        """Forged ones by the thousand don't silence it, nor take memory."""
        scope = self.start()
        for _ in range(10):
            self.hear(scope, *range(1000, 2000))
            scope.wait(1)
        self.assertLessEqual(len(scope.registrar._scope.announcing._others), MAXIMUM_OTHERS)
        self.assertGreaterEqual(self.count(scope), 10 / LONGEST)
        self.hear(scope, 1)
        for octets in (b"", b"\n", b"\n\0\0\x08", bytes(100), b"\xff" * 100):
            scope.overhear(octets, protocol=Protocol.ASAP)
        self.assertEqual(scope.dialled, [])


class Presented(SynchronousTestCase):
    """To other registrars."""

    def test_off(self):
        """Unless it is switched on, none is sent to a group."""
        scope = Scope(announces=True)
        scope.wait(100)
        self.assertFalse([one for one in scope.announced if isinstance(one, enrp.Presence)])

    def test_cycle(self):
        """At the start, and in each PEER-HEARTBEAT-CYCLE: checksum, and where it is."""
        scope = Scope(presents=True, peer_heartbeat_cycle=30.0)
        [first] = scope.announced
        self.assertEqual((first.sender, first.receiver, first.reply_required), (ME, 0, False))
        self.assertEqual((first.checksum, first.server.transport.port), (0xFFFF, 9902))
        scope.wait(91)
        self.assertEqual(len(scope.announced), 4)

    def test_sctp(self):
        """Where it can be called by SCTP, it is that: every registrar has it."""
        sctp = SCTPTransport(port=9901, addresses=(ip_address("192.0.2.1"),))
        [first] = Scope(presents=True, enrp_sctp=sctp).announced
        self.assertEqual(first.server.transport, sctp)


class Overheard(SynchronousTestCase):
    """What registrars say to the group."""

    def start(self, *targets, **settings):
        """A registrar that hears them and serves."""
        scope = Scope(*targets, hears=True, **settings)
        scope.wait(FIVE + 0.01)
        return scope

    def test_not_heard(self):
        """Unless it is switched on, nobody is called."""
        scope = Scope(presents=True)
        scope.overhear(presence())
        scope.wait(10)
        self.assertEqual(scope.dialled, [])

    def test_called(self):
        """A stranger is called where the datagram came from, at the port he tells."""
        scope = self.start()
        scope.overhear(presence())
        scope.wait(LATER)
        self.assertEqual(scope.dialled, ["tcp:192.0.2.9:9901"])

    def test_kinds(self):
        """By which transport, the parameter says; IPv6 in brackets, IPv4 as IPv4."""
        for host, cls, expected in (
            ("192.0.2.9", SCTPTransport, "sctp:192.0.2.9:9901"),
            ("2001:db8::9", TCPTransport, "tcp:[2001:db8::9]:9901"),
            ("fe80::9%eth0", TCPTransport, "tcp:[fe80::9%eth0]:9901"),
            ("::ffff:192.0.2.9", TCPTransport, "tcp:192.0.2.9:9901"),
        ):
            scope = self.start()
            scope.overhear(presence(cls=cls), host)
            scope.wait(LATER)
            self.assertEqual(scope.dialled, [expected])

    def test_peer(self):
        """Who answers there is a peer as any, and called again when the connection is lost."""
        scope = self.start()
        scope.overhear(presence())
        scope.wait(LATER)
        channel = scope.channel("r2", dialled=scope.dialled[0])
        scope.say(channel, presence())
        self.assertEqual(scope.known(), {OTHER})
        scope.wait(30)
        self.assertEqual(scope.closed, [])
        scope.lose(channel)
        scope.wait(3)
        self.assertEqual(len(scope.dialled), 2)

    def test_nobody_there(self):
        """One that can't be reached is forgotten; the next presence has it called again."""
        scope = self.start()
        for count in (1, 2):
            scope.overhear(presence())
            scope.wait(LATER)
            scope.perform(scope.registrar.unreachable(scope.dialled[0], scope.now))
            scope.wait(120)
            self.assertEqual(len(scope.dialled), count)
        self.assertEqual(len(scope.registrar._scope._targets), 0)

    def test_silent(self):
        """One that takes the call and says nothing is hung up on, and has no place any more."""
        scope = self.start()
        scope.overhear(presence())
        scope.wait(LATER)
        channel = scope.channel("r2", dialled=scope.dialled[0])
        scope.wait(FIVE + 0.1)
        self.assertEqual(scope.closed, [channel])
        scope.lose(channel)
        scope.wait(120)
        self.assertEqual((len(scope.dialled), len(scope.registrar._scope._targets)), (1, 0))

    def test_has_called(self):
        """Who has called us meanwhile isn't called; nor is a peer, or who was configured."""
        scope = self.start()
        scope.overhear(presence())
        scope.peer(OTHER)
        scope.overhear(presence())
        scope.overhear(presence(port=9999))
        scope.wait(10)
        self.assertEqual(scope.dialled, [])
        scope = self.start("r2=tcp:192.0.2.9:9901")
        before = len(scope.dialled)
        scope.overhear(presence())
        self.assertEqual(len(scope.registrar._scope._targets), 1)
        self.assertEqual(before, 1)

    def test_nothing_said(self):
        """Ourselves, no place, a privileged port, another receiver, no presence: no call."""
        scope = self.start()
        for message in (
            presence(ME),
            presence(0),
            presence(server=None),
            presence(port=0),
            presence(port=25),
            presence(receiver=0x77),
            enrp.ListRequest(sender=OTHER),
            b"",
            b"\x01\0\0\x04",
            bytes(2000),
        ):
            scope.overhear(message)
        for host in ("0.0.0.0", "255.255.255.255", "239.0.0.51", "somewhere", ""):
            scope.overhear(presence(), host)
        scope.wait(10)
        self.assertEqual(scope.dialled, [])

    def test_no_sign_of_life(self):
        """It keeps no dead peer alive, and starts no audit: anybody may have sent it."""
        scope = self.start()
        channel = scope.peer(OTHER)
        scope.lose(channel)
        before = scope.audited("resync.started")
        for _ in range(80):
            scope.overhear(presence(checksum=0xBAD))
            scope.wait(1)
        self.assertEqual(scope.audited("peer.dead"), 1)
        self.assertEqual(scope.audited("resync.started"), before)

    def test_forged(self):
        """Forged ones by the thousand cause a few calls, and a few targets at a time."""
        scope = self.start()
        calls = []
        for second in range(30):
            for number in range(300):
                host = f"10.{number % 250}.{second}.{number // 250}"
                scope.overhear(presence(0x1000 + number, 2000 + number), host)
            scope.wait(1)
            # None of them answers at all.
            calls.append(len(scope.dialled))
            self.assertLessEqual(len(scope.registrar._scope._targets), MAXIMUM_OVERHEARD)
        self.assertLessEqual(calls[-1], MAXIMUM_OVERHEARD)
        for text in list(scope.dialled):
            scope.perform(scope.registrar.unreachable(text, scope.now))
        before = len(scope.dialled)
        for second in range(30):
            for number in range(300):
                scope.overhear(presence(0x1000 + number, 2000 + number), f"10.9.{second}.1")
            scope.wait(1)
            for text in scope.dialled[calls[-1] :]:
                scope.perform(scope.registrar.unreachable(text, scope.now))
        self.assertLessEqual(len(scope.dialled) - before, CALLS_BURST + CALLS_PER_SECOND * 31)
        counters = scope.registrar.counters
        self.assertEqual(counters.presences_overheard, 18_000)
        self.assertGreater(counters.presences_over_limit, 17_000)

    def test_configured_first(self):
        """Who is configured is called whatever is forged."""
        scope = Scope("r2=tcp:192.0.2.2:9902", hears=True)
        for number in range(1000):
            scope.overhear(presence(0x1000 + number), f"10.0.{number % 250}.1")
        self.assertEqual(scope.dialled, ["r2=tcp:192.0.2.2:9902"])

    def test_captured(self):
        """Rsplib's presences, as they were captured, have us call by SCTP."""
        places = set()
        for name, data in vectors():
            if name == "ENRP" and data[:1] == b"\x01":
                scope = self.start()
                scope.overhear(data, "10.2.0.1")
                scope.wait(LATER)
                places.update(scope.dialled)
        self.assertIn("sctp:10.2.0.1:9901", places)
        self.assertTrue(all(place.startswith("sctp:10.2.0.1:") for place in places), places)


class Mentor(SynchronousTestCase):
    """At the start, where nobody is configured."""

    def test_alone(self):
        """Who hears of nobody for MAX-TIME-NO-RESPONSE begins alone."""
        scope = Scope(hears=True)
        scope.wait(FIVE - 0.1)
        self.assertFalse(scope.serving)
        scope.wait(0.2)
        self.assertTrue(scope.serving)

    def test_forged(self):
        """However many are forged, it begins then."""
        scope = Scope(hears=True)
        for number in range(60):
            scope.overhear(presence(0x1000 + number), f"10.0.{number}.1")
            scope.wait(0.1)
        self.assertTrue(scope.serving)

    def test_found(self):
        """One that was heard of, and answers, is the mentor."""
        scope = Scope(hears=True)
        scope.overhear(presence())
        scope.wait(LATER)
        channel = scope.channel("r2", dialled=scope.dialled[0])
        asked = scope.say(channel, presence())
        asked += scope.said(channel)
        scope.wait(FIVE - LATER + 0.1)
        self.assertFalse(scope.serving)
        scope.say(channel, enrp.ListResponse(sender=OTHER, receiver=ME))
        scope.say(channel, enrp.HandleTableResponse(sender=OTHER, receiver=ME))
        self.assertTrue(scope.serving)
        self.assertEqual(scope.audited("scope.joined"), 1)
