"""Handle resolution."""

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar import resolution
from rserpool.security.decisions import LIMITS, RESOLVE, Proof, deny
from rserpool.wire import asap, causes, policies
from rserpool.wire.parameters import SCTPTransport
from tests.registrar.scene import Scene


class Resolving(SynchronousTestCase):
    """RFC 5352 section 3.3."""

    def setUp(self):
        self.scene = Scene()
        self.pe = self.scene.channel()
        self.pu = self.scene.channel("anonymous", Proof.ANONYMOUS)
        for identifier in range(1, 6):
            self.scene.register(self.pe, identifier)

    def identifiers(self, items=None):
        """Who is in the answer, in its order."""
        return [e.identifier for e in self.scene.resolve(self.pu, items=items).elements]

    def test_all(self):
        """Without the Handle Resolution Option all elements come, with the policy."""
        answer = self.scene.resolve(self.pu)
        self.assertEqual(len(answer.elements), 5)
        self.assertEqual(answer.policy, policies.RoundRobin())
        self.assertIsNone(answer.error)

    def test_some(self):
        """With it so many, the head moving on by one each time."""
        self.assertEqual(self.identifiers(2), [1, 2])
        self.assertEqual(self.identifiers(2), [2, 3])
        self.assertEqual(self.identifiers(0xFFFFFFFF), [3, 4, 5, 1, 2])

    def test_remembered_request(self):
        """A request met before is answered like a new one, and asked for at the gate."""
        self.scene.gate.asked.clear()
        answers = [self.scene.resolve(self.pu, items=1) for _ in range(3)]
        self.assertEqual(len({a.elements[0].identifier for a in answers}), 3)
        self.assertEqual(len(self.scene.gate.asked), 3)
        self.scene.gate.denied.add(RESOLVE)
        self.assertEqual(
            self.scene.resolve(self.pu, items=1).error.causes, (causes.RejectedForSecurity(),)
        )

    def test_remembered_pool_gone(self):
        """A remembered request for a pool that has gone since finds it unknown."""
        self.scene.resolve(self.pu)
        for identifier in range(1, 6):
            self.scene.tell(self.pe, asap.Deregistration(handle=b"web", identifier=identifier))
        answer = self.scene.resolve(self.pu)
        self.assertEqual(answer.error.causes, (causes.UnknownPoolHandle(),))

    def test_memory_of_requests_is_bounded(self):
        """A client that asks for ever new numbers of elements doesn't fill the memory."""
        self.patch(resolution, "REMEMBERED", 10)
        for items in range(1, 100):
            self.scene.resolve(self.pu, items=items)
        self.assertLessEqual(len(self.scene.registrar._clients._resolution._questions), 12)

    def test_unknown(self):
        """An unknown handle: cause 0x9, no elements, no policy."""
        answer = self.scene.resolve(self.pu, b"nothing")
        self.assertEqual(answer.error.causes, (causes.UnknownPoolHandle(),))
        self.assertEqual((answer.elements, answer.policy), ((), None))

    def test_denied_before_known(self):
        """What is denied looks alike whether the pool exists or not."""
        self.scene.gate.denied.add(RESOLVE)
        for handle in (b"web", b"nothing"):
            answer = self.scene.resolve(self.pu, handle)
            self.assertEqual(answer.error.causes, (causes.RejectedForSecurity(),))

    def test_never_too_long(self):
        """A response holds as many elements as fit into 65,535 octets."""
        addresses = (ip_address("127.0.0.1"),) * 300
        for identifier in range(1, 60):
            transport = SCTPTransport(port=1, use=0, addresses=addresses)
            self.scene.register(self.pe, identifier, b"big", transport=transport)
        answer = self.scene.resolve(self.pu, b"big")
        size = len(asap.encode(answer))
        self.assertLessEqual(size, 65535)
        self.assertGreater(size, 60000)

    def test_nobody_able(self):
        """A pool of weight 0 throughout has nobody to offer: cause 0x6."""
        idle = policies.WeightedRandom(weight=0)
        self.scene.register(self.pe, 1, b"idle", policy=idle)
        answer = self.scene.resolve(self.pu, b"idle")
        self.assertEqual(answer.error.causes, (causes.LackOfResources(),))

    def test_odd_length_at_the_end(self):
        """The Message Length leaves out the final padding (RFC 5354 section 4)."""
        odd = policies.UnknownPolicy(number=0xB0000001, data=b"abc")
        self.scene.register(self.pe, 1, b"odd", policy=odd)
        answer = self.scene.resolve(self.pu, b"odd")
        self.assertEqual(answer.policy, odd)
        self.assertEqual(answer.elements[0].policy, odd)


class Subscribing(SynchronousTestCase):
    """The S and A bits (RFC 5352 section 2.2.5)."""

    def setUp(self):
        self.scene = Scene()
        self.pe = self.scene.channel()
        self.pu = self.scene.channel("anonymous", Proof.ANONYMOUS)
        self.scene.register(self.pe, 1)

    def subscribe(self, handle=b"web"):
        """Ask with S and give back the answer."""
        [answer] = self.scene.tell(
            self.pu, asap.HandleResolution(subscribe=True, handle=handle, items=None)
        )
        return answer

    def updates(self):
        """What has come unasked since the last call."""
        self.scene.wait(1)
        new = self.scene.sent[self.pu][:]
        self.scene.sent[self.pu].clear()
        return new

    def test_accepted(self):
        """S is answered with A, and changes come unasked with A, once for several."""
        self.assertTrue(self.subscribe().accepted_updates)
        self.scene.sent[self.pu].clear()
        for identifier in (2, 3, 4):
            self.scene.register(self.pe, identifier)
        [update] = self.updates()
        self.assertTrue(update.accepted_updates)
        self.assertEqual(len(update.elements), 4)

    def test_refused_since(self):
        """Who may not resolve any more is told so, and then nothing."""
        self.subscribe()
        self.scene.sent[self.pu].clear()
        self.scene.gate.denied.add("asap.resolve")
        self.scene.register(self.pe, 2)
        [update] = self.updates()
        self.assertEqual(update.elements, ())
        self.assertEqual(update.error.causes, (causes.RejectedForSecurity(),))
        self.assertEqual(self.scene.audits[-1].what, "resolution.refused")
        self.scene.gate.denied.clear()
        self.scene.register(self.pe, 3)
        self.assertEqual(self.updates(), [])

    def test_over_a_limit(self):
        """An update isn't the user's doing: its budget doesn't keep it from being told."""
        self.subscribe()
        self.scene.sent[self.pu].clear()
        self.patch(self.scene.gate, "ask", lambda *_: deny("too many", LIMITS))
        self.scene.registrar._clients.membership.changed(
            self.scene.registrar.handlespace.find(b"web", 1), self.scene.now
        )
        self.scene.perform(self.scene.registrar._share.taken())
        self.assertEqual(len(self.updates()), 1)

    def test_renewals_are_no_change(self):
        """A renewal tells nobody anything."""
        self.subscribe()
        self.scene.sent[self.pu].clear()
        self.scene.register(self.pe, 1)
        self.assertEqual(self.updates(), [])

    def test_end_of_the_pool(self):
        """The end of the pool is told, and ends the updates."""
        self.subscribe()
        self.scene.sent[self.pu].clear()
        self.scene.tell(self.pe, asap.Deregistration(handle=b"web", identifier=1))
        [update] = self.updates()
        self.assertEqual(update.error.causes, (causes.UnknownPoolHandle(),))
        self.scene.register(self.pe, 1)
        self.assertEqual(self.updates(), [])

    def test_unknown_pool(self):
        """An unknown pool can't be subscribed to."""
        self.assertFalse(self.subscribe(b"later").accepted_updates)
        self.scene.sent[self.pu].clear()
        self.scene.register(self.pe, 1, b"later")
        self.assertEqual(self.updates(), [])

    def test_lost(self):
        """A subscriber that is gone is told nothing."""
        self.subscribe()
        self.scene.lose(self.pu)
        self.scene.sent[self.pu].clear()
        self.scene.register(self.pe, 2)
        self.assertEqual(self.updates(), [])

    def test_too_many(self):
        """Past the bound a subscription isn't accepted, but answered."""
        for number in range(self.scene.settings.subscriptions_per_channel):
            self.scene.register(self.pe, 1, b"pool %d" % number)
            self.assertTrue(self.subscribe(b"pool %d" % number).accepted_updates)
        answer = self.subscribe()
        self.assertFalse(answer.accepted_updates)
        self.assertEqual(len(answer.elements), 1)
