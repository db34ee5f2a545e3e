"""Registration and de-registration."""

from ipaddress import ip_address, ip_network

from twisted.trial.unittest import SynchronousTestCase

from rserpool.handlespace.handlespace import Limits
from rserpool.registrar.settings import Settings
from rserpool.security.decisions import DEREGISTER, REGISTER_RENEW, Proof, Restrictions
from rserpool.wire import asap, causes, policies
from rserpool.wire.parameters import SCTPTransport, UDPTransport
from tests.registrar.scene import SERVER_ID, Scene, registration


def cause(answer: object) -> object:
    """The one cause of a refusal."""
    [found] = answer.error.causes
    return found


class Registering(SynchronousTestCase):
    """RFC 5352 section 3.1."""

    def setUp(self):
        self.scene = Scene()
        self.pe = self.scene.channel()

    def test_first_makes_the_pool(self):
        """The first element of an unknown handle makes the pool, and we become its home."""
        answer = self.scene.register(self.pe, 7)
        self.assertEqual(
            answer,
            asap.RegistrationResponse(rejected=False, handle=b"web", identifier=7, error=None),
        )
        [element] = self.scene.resolve(self.pe).elements
        self.assertEqual((element.identifier, element.home), (7, SERVER_ID))
        self.assertEqual(self.scene.gate.asked[0], ("web-1", "asap.register.new", b"web"))

    def test_others_join(self):
        """Another element joins the pool, and the gate hears the difference."""
        self.scene.register(self.pe, 1)
        self.scene.register(self.scene.channel("web-2"), 2)
        self.assertEqual(self.scene.members(), {1, 2})
        self.assertEqual(self.scene.gate.asked[1], ("web-2", "asap.register.join", b"web"))

    def test_again(self):
        """The same element registering again is a renewal, however it is encoded."""
        self.scene.register(self.pe, 1)
        for home in (0, SERVER_ID):
            self.assertFalse(self.scene.register(self.pe, 1, home=home).rejected)
        self.assertEqual(self.scene.gate.asked[-1], ("web-1", REGISTER_RENEW, b"web"))
        self.assertEqual(self.scene.registrar.counters.registrations_renewed, 2)

    def test_again_with_other_attributes(self):
        """A re-registration replaces the attributes of the element (rule 3)."""
        old, new = policies.LeastUsed(load=5), policies.LeastUsed(load=9)
        self.scene.register(self.pe, 1, policy=old)
        self.assertFalse(self.scene.register(self.pe, 1, policy=new).rejected)
        [element] = self.scene.resolve(self.pe).elements
        self.assertEqual(element.policy, new)
        self.assertEqual(self.scene.registrar.counters.registrations_changed, 1)

    def test_again_by_another_connection(self):
        """The principal may come back by a new connection, and keeps its element."""
        self.scene.register(self.pe, 1)
        back = self.scene.channel()
        self.scene.register(back, 1)
        self.scene.lose(self.pe)
        self.scene.wait(4)
        self.assertEqual(self.scene.members(), {1})

    def test_stolen_identifier(self):
        """Nobody else's registration replaces an element: cause 0x4, nothing changed."""
        self.scene.register(self.pe, 1)
        answer = self.scene.register(self.scene.channel("evil"), 1)
        self.assertTrue(answer.rejected)
        self.assertEqual(cause(answer), causes.NonUniquePEIdentifier())
        self.scene.lose(self.pe)
        self.scene.wait(6)
        self.assertEqual(self.scene.members(), set())

    def test_insecure_belongs_to_nobody(self):
        """Without proof of names an element may be registered again by anyone (RFC 5352)."""
        one, other = (self.scene.channel("plain", Proof.PLAIN) for _ in range(2))
        self.scene.register(one, 1)
        self.assertFalse(self.scene.register(other, 1).rejected)

    def test_renewal_is_asked_for_every_time(self):
        """A renewal on the shortcut passes the gate like any other."""
        self.scene.register(self.pe, 1)
        self.scene.gate.denied.add(REGISTER_RENEW)
        answer = self.scene.register(self.pe, 1)
        self.assertTrue(answer.rejected)
        self.assertEqual(cause(answer), causes.RejectedForSecurity())
        self.assertEqual((answer.handle, answer.identifier), (b"web", 1))
        asked = [one for one in self.scene.gate.asked if one[1] == REGISTER_RENEW]
        self.assertEqual(len(asked), 1, "asked twice, a refusal is counted twice")
        self.assertEqual(self.scene.registrar.counters.registrations_refused, 1)

    def test_renewal_moves_the_expiry(self):
        """A renewed element lives for its whole life again."""
        self.scene.register(self.pe, 1, life=100)
        self.scene.wait(0)
        for _ in range(5):
            self.answer_keep_alives(90)
            self.scene.register(self.pe, 1, life=100)
        self.assertEqual(self.scene.members(), {1})

    def answer_keep_alives(self, seconds):
        """Let time pass as an element does that answers."""
        for _ in range(seconds):
            self.scene.wait(1)
            self.scene.tell(self.pe, asap.EndpointKeepAliveAck(handle=b"web", identifier=1))


class Refusing(SynchronousTestCase):
    """Each refusal carries its cause and changes nothing."""

    def setUp(self):
        self.scene = Scene()
        self.pe = self.scene.channel()
        self.scene.register(self.pe, 1)

    def refused(self, expected, channel=None, **fields):
        """Registering element 2 is refused with `expected`."""
        answer = self.scene.register(channel or self.pe, 2, **fields)
        self.assertTrue(answer.rejected)
        self.assertEqual(cause(answer), expected)
        self.assertEqual(self.scene.members(), {1})
        self.assertEqual(self.scene.audits[-1].what, "registration.refused")

    def test_policy(self):
        """Another policy than the pool's: 0x5 with the pool's policy."""
        self.refused(
            causes.InconsistentPolicy(policy=policies.RoundRobin()), policy=policies.Random()
        )

    def test_transport(self):
        """Another transport than the pool's: 0x7 with the pool's transport."""
        pool = registration(1).element.user_transport
        udp = UDPTransport(port=1, addresses=(ip_address("127.0.0.1"),))
        self.refused(causes.InconsistentTransport(transport=pool), transport=udp)

    def test_use(self):
        """Another data/control configuration than the pool's: 0x8."""
        data, control = (
            SCTPTransport(port=1, use=use, addresses=(ip_address("127.0.0.1"),))
            for use in (0, 1)
        )
        self.scene.register(self.pe, 1, b"sctp", transport=data)
        answer = self.scene.register(self.pe, 2, b"sctp", transport=control)
        self.assertEqual(cause(answer), causes.InconsistentDataControl())

    def test_address(self):
        """An address that isn't the connection's: 0xa (RFC 5352 section 2.2.1)."""
        self.refused(causes.RejectedForSecurity(), address="192.0.2.9")

    def test_address_of_the_key(self):
        """A key may speak for other addresses."""
        networks = Restrictions(networks=(ip_network("192.0.2.0/24"),))
        pe = self.scene.channel(restrictions=networks)
        self.assertFalse(self.scene.register(pe, 2, address="192.0.2.9").rejected)

    def test_identifier_of_the_key(self):
        """A key for one identifier registers no other."""
        pe = self.scene.channel(restrictions=Restrictions(pe_ids=frozenset({9})))
        self.refused(causes.RejectedForSecurity(), pe)

    def test_anonymous(self):
        """Who has proven no name registers nothing, whatever the gate says."""
        self.refused(
            causes.RejectedForSecurity(), self.scene.channel("anonymous", Proof.ANONYMOUS)
        )

    def test_denied(self):
        """What the gate denies is refused with 0xa, and the reason stays here."""
        self.scene.gate.denied.add("asap.register.join")
        self.refused(causes.RejectedForSecurity())
        self.assertEqual(self.scene.audits[-1].outcome, "told to")

    def test_too_long(self):
        """A registration with thousands of addresses is refused with 0x6."""
        many = SCTPTransport(port=1, use=0, addresses=(ip_address("127.0.0.1"),) * 2000)
        answer = self.scene.register(self.pe, 1, b"sctp", transport=many)
        self.assertEqual(cause(answer), causes.LackOfResources())

    def test_full(self):
        """A full pool refuses with 0x6, and renews its own elements still."""
        scene = Scene(limits=Limits(elements_per_pool=1))
        pe = scene.channel()
        scene.register(pe, 1)
        self.assertEqual(cause(scene.register(pe, 2)), causes.LackOfResources())
        self.assertFalse(scene.register(pe, 1).rejected)


class Deregistering(SynchronousTestCase):
    """RFC 5352 section 3.2."""

    def setUp(self):
        self.scene = Scene()
        self.pe = self.scene.channel()
        self.scene.register(self.pe, 1)

    def deregister(self, channel, identifier=1):
        """De-register and give back the answer."""
        [answer] = self.scene.tell(
            channel, asap.Deregistration(handle=b"web", identifier=identifier)
        )
        return answer

    def test_granted(self):
        """An element removes itself, and the empty pool goes with it."""
        self.assertIsNone(self.deregister(self.pe).error)
        self.assertEqual(self.scene.registrar.handlespace.pools, {})

    def test_unknown(self):
        """One that isn't there counts as removed."""
        self.assertIsNone(self.deregister(self.pe, 99).error)

    def test_foreign(self):
        """Nobody removes another's element: 0xa."""
        answer = self.deregister(self.scene.channel("evil"))
        self.assertEqual(cause(answer), causes.RejectedForSecurity())
        self.assertEqual(self.scene.members(), {1})

    def test_denied(self):
        """What the gate denies stays."""
        self.scene.gate.denied.add(DEREGISTER)
        self.assertEqual(cause(self.deregister(self.pe)), causes.RejectedForSecurity())
        self.assertEqual(self.scene.members(), {1})


class Expiring(SynchronousTestCase):
    """The registration life (RFC 5352 section 3.2)."""

    def test_told(self):
        """At the end of its life an element leaves, and is told so."""
        scene = Scene(Settings(keep_alive_interval=1000))
        pe = scene.channel()
        scene.register(pe, 1, life=30)
        scene.wait(29)
        self.assertEqual(scene.members(), {1})
        scene.wait(3)
        self.assertEqual(scene.members(), set())
        self.assertEqual(
            scene.sent[pe][-1],
            asap.DeregistrationResponse(handle=b"web", identifier=1, error=None),
        )
        self.assertEqual(scene.registrar.counters.elements_expired, 1)

    def test_for_ever(self):
        """A life of -1 doesn't end."""
        scene = Scene(Settings(keep_alive_interval=1e9))
        scene.register(scene.channel(), 1, life=-1)
        scene.wait(1e8)
        self.assertEqual(scene.members(), {1})
