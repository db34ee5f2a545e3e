"""The list of registrars that announce themselves, to which anybody may write."""

from ipaddress import ip_address
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.announced import (
    ADDRESSES,
    DRAW,
    DRAWN,
    FROM_ONE,
    MAXIMUM,
    NEW_BURST,
    NEW_PER_SECOND,
    T7,
    WAITING,
    Announced,
    read,
)
from rserpool.wire import asap, enrp
from rserpool.wire.parameters import SCTPTransport, TCPTransport
from tests.vectors import vectors

SERVER = 0x0BAD
FAR = "192.0.2.7"


def announcement(*transports):
    """ASAP_SERVER_ANNOUNCE."""
    return asap.encode(asap.ServerAnnounce(server=SERVER, transports=transports))


def tcp(address, port=3863):
    """A TCP transport."""
    return TCPTransport(port=port, addresses=(ip_address(address),))


class Reading(SynchronousTestCase):
    """What an announcement says."""

    def where(self, *transports, host=FAR, port=3863, silent="sctp"):
        """Whom it has us call."""
        return list(read(announcement(*transports), host, port, silent))

    def test_transports(self):
        """The transports that it names, wherever it came from."""
        sctp = SCTPTransport(
            port=3863, addresses=(ip_address("10.1.1.1"), ip_address("10.1.1.2"))
        )
        found = self.where(tcp("192.0.2.9", 3864), sctp, tcp("2001:db8::9"))
        self.assertEqual(
            found,
            ["tcp:192.0.2.9:3864", "sctp:10.1.1.1,10.1.1.2:3863", "tcp:[2001:db8::9]:3863"],
        )

    def test_addresses(self):
        """Of the many addresses of one SCTP transport some are taken."""
        many = tuple(ip_address(f"10.1.1.{number}") for number in range(1, 100))
        [found] = self.where(SCTPTransport(port=3863, addresses=many))
        self.assertEqual(found.count("10.1.1."), ADDRESSES)

    def test_silent(self):
        """One that names none, in eight octets: its source, by SCTP, or as we were told."""
        self.assertEqual(len(announcement()), 8)
        self.assertEqual(self.where(), ["sctp:192.0.2.7:3863"])
        self.assertEqual(self.where(silent="tcp"), ["tcp:192.0.2.7:3863"])
        self.assertEqual(self.where(host="::ffff:192.0.2.7"), ["sctp:192.0.2.7:3863"])
        self.assertEqual(self.where(host="fe80::7%eth0"), ["sctp:[fe80::7%eth0]:3863"])
        self.assertEqual(self.where(port=80), [])

    def test_unusable(self):
        """No address of one host, a privileged port, somebody else's loopback: nowhere."""
        for transport in (
            tcp("0.0.0.0"),
            tcp("239.0.0.50"),
            tcp("255.255.255.255"),
            tcp("192.0.2.9", 0),
            tcp("192.0.2.9", 25),
            tcp("127.0.0.1"),
            tcp("::1"),
            tcp("fe80::9"),
        ):
            self.assertEqual(self.where(transport), [], transport)
        self.assertEqual(self.where(tcp("127.0.0.1"), host="127.0.0.9"),
                         ["tcp:127.0.0.1:3863"])  # fmt: skip
        self.assertEqual(self.where(tcp("fe80::9"), host="fe80::7%eth0"),
                         ["tcp:[fe80::9%eth0]:3863"])  # fmt: skip
        both = SCTPTransport(
            port=3863, addresses=(ip_address("127.0.0.1"), ip_address("10.1.1.2"))
        )
        self.assertEqual(self.where(both), ["sctp:10.1.1.2:3863"])

    def test_many(self):
        """Of many transports in one announcement some are taken, and each once."""
        many = [tcp(f"192.0.2.{number}") for number in range(1, 200)]
        self.assertEqual(len(self.where(*many)), FROM_ONE)
        self.assertEqual(len(self.where(*[many[0]] * 4)), 1)

    def test_nonsense(self):
        """What is no announcement says nothing, whatever it is."""
        good = announcement(tcp(FAR))
        for data in (
            b"",
            good[:-1],
            good[:7],
            b"\x0a\0\0\x08",
            bytes(100),
            enrp.encode(enrp.Presence(sender=1)),
            asap.encode(asap.HandleResolution(handle=b"web")),
            *(good[:at] for at in range(len(good))),
        ):
            self.assertEqual(read(data, FAR, 3863, "sctp"), ())
        self.assertEqual(read(good, "somewhere", 3863, "sctp"), ())
        random = Random(1)
        for _ in range(2000):
            read(b"\x0a" + random.randbytes(random.randrange(60)), FAR, 3863, "sctp")

    def test_captured(self):
        """Rsplib's are silent, and call us to where they came from; nothing else does."""
        found = [read(data, FAR, 3863, "sctp") for name, data in vectors() if name == "ASAP"]
        self.assertEqual(set(found), {(), ("sctp:192.0.2.7:3863",)})
        self.assertGreater(len(list(filter(None, found))), 5)


class Listed(SynchronousTestCase):
    """Who is in the list."""

    def setUp(self):
        """It is empty."""
        self.list = Announced(Random(1))
        self.now = 0.0

    def heard(self, text, source=FAR):
        """Somebody announces this; what is new, and what has gone."""
        return self.list.heard([text], source, self.now)

    def drawn(self):
        """What is listed because lots are drawn."""
        due = self.list.next()
        return self.list.draw(self.now)[0] if due is not None and due <= self.now else []

    def flood(self, seconds, sources, per_second=1000, *, fail=True):
        """Forged announcements of ever other places; how many got in."""
        entered = 0
        for step in range(int(seconds * per_second)):
            self.now += 1 / per_second
            source = f"10.0.{step % sources}.1"
            new, _ = self.heard(f"tcp:192.0.2.{step % 250}:{2000 + step // 250}", source)
            for text in [*new, *self.drawn()]:
                entered += 1
                if fail:
                    self.list.failed(text)
            self.list.outdated(self.now)
            self.assertLessEqual(len(self.list), MAXIMUM)
        return entered

    def test_new(self):
        """What is new is told once, and all transports of one announcement."""
        places = ["tcp:192.0.2.9:1", "sctp:192.0.2.9:1"]
        self.assertEqual(self.list.heard(places, FAR, 0.0), (places, []))
        self.assertEqual(self.list.heard(places, FAR, 1.0), ([], []))

    def test_outdated(self):
        """It goes when it wasn't repeated within T7-ENRPoutdate; repeating starts T7 again."""
        self.heard("tcp:192.0.2.9:1")
        self.assertEqual(self.list.next(), T7)
        self.now = 3.0
        self.heard("tcp:192.0.2.9:1")
        self.assertEqual(self.list.outdated(T7 + 2.9), [])
        self.assertEqual(self.list.outdated(T7 + 3.0), ["tcp:192.0.2.9:1"])
        self.assertEqual((len(self.list), self.list.next()), (0, None))

    def test_from_one(self):
        """One address has some places, and the rest is for others."""
        self.flood(10, sources=1, fail=False)
        self.assertLessEqual(len(self.list), FROM_ONE)
        self.assertEqual(self.heard("tcp:192.0.2.9:1")[0], ["tcp:192.0.2.9:1"])

    def test_draw(self):
        """A few are listed as they come; of the rest some, each second, by lot."""
        come = [self.heard(f"tcp:192.0.2.9:{n + 1}", f"10.0.0.{n}")[0] for n in range(28)]
        self.assertEqual(sum(map(bool, come)), NEW_BURST)
        self.assertEqual((self.list.next(), self.drawn()), (DRAW, []))
        self.now = DRAW
        found = self.drawn()
        self.assertEqual(len(found), DRAWN)
        self.assertFalse(set(found) & {text for texts in come for text in texts})
        self.assertEqual(self.list.draw(self.now), ([], []))

    def test_rate(self):
        """Forged ones by the thousand bring in a few, of however many addresses they are."""
        for sources in (1, 10, 200):
            self.setUp()
            entered = self.flood(30, sources)
            most = NEW_BURST + (NEW_PER_SECOND + DRAWN) * 31
            self.assertLessEqual(entered, most)

    def test_full(self):
        """A full list takes no more, but in the place of who was called in vain."""
        places = []
        for number in range(MAXIMUM):
            self.now += 1
            places.append(f"tcp:192.0.2.{number}:1")
            self.assertEqual(self.heard(places[-1], f"10.0.{number}.1"), ([places[-1]], []))
            for text in places:
                self.list.heard([text], "", self.now)
        self.assertEqual(self.heard("tcp:192.0.2.99:1"), ([], []))
        self.now += DRAW
        self.assertEqual(self.list.draw(self.now), ([], []))
        self.list.failed(places[7])
        self.assertEqual(self.heard("tcp:192.0.2.99:1"), (["tcp:192.0.2.99:1"], [places[7]]))

    def test_known_before(self):
        """Who was listed before a flood stays listed, as long as he announces himself."""
        self.heard("tcp:192.0.2.9:1")
        for _ in range(20):
            self.flood(1, sources=200)
            self.heard("tcp:192.0.2.9:1")
        self.assertIn("tcp:192.0.2.9:1", self.list)

    def test_found_in_a_flood(self):
        """Who announces himself in the middle of a flood is listed soon."""
        honest = "tcp:192.0.2.99:1"
        for sources in (1, 20, 100):
            self.setUp()
            self.flood(10, sources)
            for _ in range(90):
                if honest in self.list:
                    break
                self.flood(0.5, sources)
                self.heard(honest)
                self.flood(0.5, sources)
            self.assertIn(honest, self.list, sources)

    def test_memory(self):
        """Addresses by the thousand take no more memory than that of those that may wait."""
        for number in range(5000):
            source = f"10.{number % 250}.0.{number // 250}"
            self.heard(f"tcp:192.0.2.8:{number + 1}", source)
            self.assertLessEqual(len(self.list._waiting), WAITING)
        self.list.clear()
        self.assertEqual((self.list.next(), len(self.list)), (None, 0))
