"""Keep-alives, and what becomes of those who don't answer."""

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.asap import MAXIMUM_LOOKED_FOR
from rserpool.registrar.settings import Settings
from rserpool.security.decisions import Proof
from rserpool.wire import asap
from rserpool.wire.parameters import SCTPTransport
from tests.registrar.scene import SERVER_ID, Scene


def ack(identifier=1, handle=b"web"):
    """An element's answer."""
    return asap.EndpointKeepAliveAck(handle=handle, identifier=identifier)


class Asking(SynchronousTestCase):
    """RFC 5352 sections 3.4 and 3.5."""

    def setUp(self):
        self.scene = Scene()
        self.pe = self.scene.channel()

    def asked(self):
        """The keep-alives sent to the element."""
        return [m for m in self.scene.sent[self.pe] if isinstance(m, asap.EndpointKeepAlive)]

    def test_spread(self):
        """The time between two keep-alives to an element varies by plus/minus 50 percent."""
        scene = Scene(Settings(keep_alive_interval=10, keep_alive_timeout=1))
        pe = scene.channel()
        scene.register(pe, 1, life=-1)
        times = []
        for _ in range(20000):
            before = len(scene.sent[pe])
            scene.wait(0.1)
            if len(scene.sent[pe]) > before:
                times.append(scene.now)
                scene.tell(pe, ack())
        gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
        self.assertGreaterEqual(min(gaps), 4.8)
        self.assertLessEqual(max(gaps), 15.3)
        self.assertLess(min(gaps), 6)
        self.assertGreater(max(gaps), 14)

    def test_content(self):
        """It has our server ID, the handle, and H unset."""
        self.scene.register(self.pe)
        self.scene.wait(15.2)
        expected = asap.EndpointKeepAlive(new_home=False, server=SERVER_ID, handle=b"web")
        self.assertEqual(self.asked(), [expected])

    def test_silent(self):
        """An element that doesn't acknowledge in time is removed."""
        self.scene.register(self.pe)
        self.scene.wait(15.2 + 5.1)
        self.assertEqual(self.scene.members(), set())
        self.assertEqual(self.scene.registrar.counters.elements_silent, 1)
        self.assertEqual(self.scene.audits[-1].what, "element.silent")

    def test_silent_is_told(self):
        """It is told so as well, and may come back."""
        self.scene.register(self.pe)
        self.scene.wait(15.2 + 5.1)
        gone = asap.DeregistrationResponse(handle=b"web", identifier=1)
        self.assertEqual(self.scene.sent[self.pe][-1], gone)
        self.scene.register(self.pe)
        self.assertEqual(self.scene.members(), {1})

    def test_answering(self):
        """An element that acknowledges stays."""
        self.scene.register(self.pe, life=-1)
        for _ in range(300):
            self.scene.wait(1)
            self.scene.tell(self.pe, ack())
        self.assertEqual(self.scene.members(), {1})
        self.assertEqual(
            self.scene.registrar.counters.keep_alives_acknowledged,
            self.scene.registrar.counters.keep_alives_sent,
        )

    def test_answered_for_another(self):
        """Nobody else's acknowledgement keeps an element alive."""
        self.scene.register(self.pe)
        helper = self.scene.channel("helper")
        for _ in range(21):
            self.scene.wait(1)
            self.scene.tell(helper, ack())
        self.assertEqual(self.scene.members(), set())

    def test_re_registration_is_a_sign_of_life(self):
        """An element that registers again while asked isn't removed."""
        self.scene.register(self.pe)
        while not self.asked():
            self.scene.wait(0.1)
        self.scene.wait(4)
        self.scene.register(self.pe)
        self.scene.wait(0.8)
        self.scene.wait(0.4)
        self.assertEqual(self.scene.members(), {1})

    def test_one_cadence(self):
        """However often it registers again, an element is asked at one pace."""
        self.scene.register(self.pe, life=-1)
        for _ in range(1000):
            self.scene.wait(1)
            self.scene.tell(self.pe, ack())
            self.scene.register(self.pe, life=-1)
        self.assertLess(len(self.asked()), 140)
        self.assertGreater(len(self.asked()), 70)

    def test_many(self):
        """Thousands of elements are asked spread over the interval, not at once."""
        for identifier in range(1, 2001):
            self.scene.register(self.pe, identifier, life=-1)
        before = len(self.scene.sent[self.pe])
        most = 0
        for _ in range(40):
            self.scene.wait(0.25)
            most = max(most, len(self.scene.sent[self.pe]) - before)
            before = len(self.scene.sent[self.pe])
        self.assertLess(most, 150)


class Losing(SynchronousTestCase):
    """The connection of an element ends."""

    def setUp(self):
        self.scene = Scene()
        self.pe = self.scene.channel()
        self.scene.register(self.pe)
        self.scene.lose(self.pe)

    def test_comes_back(self):
        """It has the time of a keep-alive to come back, and is resolvable meanwhile."""
        self.scene.wait(4.9)
        self.assertEqual(self.scene.members(), {1})
        self.scene.register(self.scene.channel())
        self.scene.wait(4.9)
        self.assertEqual(self.scene.members(), {1})

    def test_stays_away(self):
        """If it doesn't, it is removed."""
        self.scene.wait(5.1)
        self.assertEqual(self.scene.members(), set())
        self.assertEqual(self.scene.registrar.counters.elements_lost, 1)

    def test_comes_back_different(self):
        """Coming back with other attributes keeps it as well."""
        self.scene.register(self.scene.channel(), life=99)
        self.scene.wait(5.1)
        self.assertEqual(self.scene.members(), {1})


class Calling(SynchronousTestCase):
    """An element whose association is gone is called where it was (RFC 5352 section 3.5)."""

    def setUp(self):
        self.scene = Scene()

    def associated(self, proof=Proof.PLAIN, count=1, sctp=True):
        """Elements that have registered by one association, which is lost now."""
        channel = self.scene.channel("plain", proof)
        channel.sctp = sctp
        channel.addresses |= {ip_address("127.0.0.2")}
        for identifier in range(1, count + 1):
            self.scene.register(channel, identifier)
        self.scene.lose(channel)

    def test_called(self):
        """At all addresses and the port of the association that it had."""
        self.associated()
        [effect] = self.scene.reached
        both = tuple(map(ip_address, ("127.0.0.1", "127.0.0.2")))
        self.assertEqual(effect.transport, SCTPTransport(port=4711, addresses=both))
        asked = asap.EndpointKeepAlive(new_home=False, server=SERVER_ID, handle=b"web")
        self.assertEqual(asap.decode(effect.data).message, asked)

    def test_answers(self):
        """One that answers there is reached by that association from then on."""
        self.associated()
        found = self.scene.channel("plain", Proof.PLAIN)
        found.reaches = (b"web", 1)
        self.scene.tell(found, ack())
        self.scene.wait(5.1)
        self.assertEqual(self.scene.members(), {1})
        self.assertEqual(self.scene.registrar.counters.elements_adopted, 0)
        self.scene.wait(15)
        self.assertIsInstance(self.scene.sent[found][0], asap.EndpointKeepAlive)

    def test_does_not(self):
        """One that doesn't is removed when it would have been."""
        self.associated()
        self.scene.wait(5.1)
        self.assertEqual(self.scene.members(), set())

    def test_not_called(self):
        """Nobody listens where TCP came from, and who proves itself couldn't do so there."""
        self.associated(sctp=False)
        self.associated(proof=Proof.PSK)
        self.assertEqual(self.scene.reached, [])

    def test_bound(self):
        """Of thousands that were at one place only some are called."""
        self.associated(count=100)
        self.assertEqual(len(self.scene.reached), MAXIMUM_LOOKED_FOR)
