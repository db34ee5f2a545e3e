"""How far away elements are (draft-dreibholz-rserpool-delay)."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar import distance
from rserpool.wire import asap, enrp
from rserpool.wire.delay import LeastUsedDPF, WeightedRandomDPF
from rserpool.wire.policies import LeastUsed
from tests.registrar.scene import Scene, registration
from tests.registrar.scope import Scope, described

NEAR = LeastUsedDPF(load=5, dpf=7)


class Home(SynchronousTestCase):
    """The home registrar measures."""

    def setUp(self):
        self.scene = Scene()
        self.element = self.scene.channel()

    def distance(self):
        """As users are told it."""
        [found] = self.scene.resolve(self.scene.channel("pu")).elements
        return found.policy.distance

    def test_measured(self):
        """The distance is the connection's smoothed round-trip time, rounded to 50 ms."""
        for rtt, expected in ((0.0, 0), (0.0249, 0), (0.025, 50), (0.074, 50), (0.3, 300)):
            self.element.rtt = lambda rtt=rtt: rtt
            self.scene.register(self.element, policy=NEAR)
            self.assertEqual(self.distance(), expected)

    def test_at_each_renewal(self):
        """It is measured anew when the element registers again just as it was."""
        self.element.rtt = lambda: 0.0
        data = asap.encode(registration(policy=NEAR))
        self.scene.tell(self.element, data)
        self.element.rtt = lambda: 0.1
        self.scene.tell(self.element, data)
        self.assertEqual(self.distance(), 100)

    def test_not_its_own(self):
        """What an element says of its distance counts only where nobody can measure it."""
        far = LeastUsedDPF(load=5, dpf=7, distance=777)
        self.scene.register(self.element, policy=far)
        self.assertEqual(self.distance(), 777)
        self.element.rtt = lambda: 0.05
        self.scene.register(self.element, policy=far)
        self.assertEqual(self.distance(), 50)

    def test_others(self):
        """Policies without a distance are as the element gave them."""
        self.element.rtt = lambda: 0.3
        self.scene.register(self.element, policy=LeastUsed(load=5))
        [found] = self.scene.resolve(self.scene.channel("pu")).elements
        self.assertEqual(found.policy, LeastUsed(load=5))


class Peers(SynchronousTestCase):
    """Other registrars add their own distance."""

    def setUp(self):
        self.scope = Scope()
        self.peer = self.scope.peer(0x10)

    def told(self, policy, **fields):
        """What we have of an element that the peer has told us of."""
        known = {"identifier": 1, "home": 0x10, "life": 300, "unknown": (), **fields}
        element = described(known["identifier"], known["home"], unknown=known["unknown"])
        element = type(element)(**{
            name: getattr(element, name)
            for name in ("identifier", "home", "life", "user_transport", "asap_transport",
                         "unknown")
        }, policy=policy)  # fmt: skip
        message = enrp.HandleUpdate(
            sender=0x10, action=enrp.ADD_PE, handle=b"web", element=element
        )
        self.scope.say(self.peer, message)
        return self.scope.registrar.handlespace.find(b"web", 1)

    def test_added(self):
        """That of its connection with who has told it."""
        self.peer.rtt = lambda: 0.21
        found = self.told(LeastUsedDPF(load=5, dpf=7, distance=100))
        self.assertEqual(found.policy, LeastUsedDPF(load=5, dpf=7, distance=300))

    def test_octets(self):
        """What users and other registrars get says so, too, and nothing else has changed."""
        odd = bytes.fromhex("91110005ab")
        self.peer.rtt = lambda: 0.1
        found = self.told(WeightedRandomDPF(weight=5, dpf=7, distance=50), unknown=(odd,))
        user = self.scope.element("pu")
        self.scope.perform(self.scope.registrar.arrived(
            user, [asap.encode(asap.HandleResolution(handle=b"web"))], self.scope.now
        ))  # fmt: skip
        [answer] = self.scope.said(user)
        [element] = answer.elements
        self.assertEqual(element.policy.distance, 150)
        self.assertEqual((element.unknown, element.home), ((odd,), 0x10))
        self.assertIs(found.policy, found.pool.policy)

    def test_unknown(self):
        """Where it can't be measured, it is as it was told."""
        found = self.told(LeastUsedDPF(load=5, dpf=7, distance=100))
        self.assertEqual(found.policy.distance, 100)

    def test_bounds(self):
        """It never leaves its 32 bits, however much is added."""
        self.peer.rtt = lambda: 1e9
        found = self.told(LeastUsedDPF(load=5, dpf=7, distance=0xFFFFFFFF))
        self.assertEqual(found.policy.distance, 0xFFFFFFFF)
        self.assertEqual(distance.of(self.peer) % distance.STEP, 0)
