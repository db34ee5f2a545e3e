"""The ways of rsplib, one by one, and what its registrars make of the RFCs."""

from ipaddress import ip_address

import attrs
from hypothesis import HealthCheck, given, settings
from twisted.trial.unittest import SynchronousTestCase

from rserpool.handlespace.description import contact_of, describe
from rserpool.handlespace.handlespace import Limits
from rserpool.registrar import replica
from rserpool.registrar.effects import Send
from rserpool.registrar.interop import READABLE_POLICIES, Interop
from rserpool.registrar.settings import Settings
from rserpool.security.decisions import Proof
from rserpool.wire import asap, causes, enrp, parameters, policies
from rserpool.wire.parameters import (
    DCCPTransport,
    OpaqueTransport,
    PoolHandle,
    SCTPTransport,
    TCPTransport,
    UDPLiteTransport,
    UDPTransport,
)
from tests import strategies
from tests.registrar.scene import SERVER_ID, Scene
from tests.registrar.scope import ME, Scope, added
from tests.vectors import vectors

PLAIN = Proof.PLAIN
HERE = ip_address("192.0.2.7")
ODD = bytes.fromhex("91110005ab")  # skipped in silence by who doesn't know it


class Elements(SynchronousTestCase):
    """Towards pool elements and users."""

    def scene(self, limits=None, **ways):
        """A registrar with these ways, and an element's connection."""
        scene = Scene(Settings(interop=Interop(**ways)), limits)
        return scene, scene.channel("plain", PLAIN, "192.0.2.7")

    def test_life(self):
        """A life of 2000 ms ends after two seconds, and others are told of 2000."""
        scene, channel = self.scene(life_unit=0.001)
        scene.register(channel, life=2000, address="192.0.2.7")
        [element] = scene.resolve(channel).elements
        self.assertEqual(element.life, 2000)
        scene.wait(1.5)
        self.assertEqual(scene.members(), {1})
        scene.wait(2.0)
        self.assertEqual(scene.members(), set())
        self.assertIn("life 2 s is over", [audit.outcome for audit in scene.audits])

    def test_items(self):
        """Who doesn't say how many gets 3, who wants all 128, and others what they want."""
        scene, channel = self.scene(default_items=3, most_items=128)
        for identifier in range(1, 201):
            scene.register(channel, identifier, address="192.0.2.7")
        for wanted, expected in (
            (None, 3), (0, 3), (1, 1), (4, 4), (128, 128), (129, 128), (0xFFFFFFFF, 128),
        ):  # fmt: skip
            found = scene.resolve(channel, items=wanted).elements
            self.assertEqual(len(found), expected, wanted)
        scene, channel = self.scene()
        for identifier in range(1, 6):
            scene.register(channel, identifier, address="192.0.2.7")
        self.assertEqual(len(scene.resolve(channel).elements), 5, "unless the ways say so")

    def test_keep_alive(self):
        """It names the element after its pool."""
        scene, channel = self.scene(keep_alive_identifier=True)
        scene.register(channel, 7, address="192.0.2.7")
        scene.wait(20)
        asked = [m for m in scene.sent[channel] if isinstance(m, asap.EndpointKeepAlive)]
        expected = asap.EndpointKeepAlive(
            new_home=False, server=SERVER_ID, handle=b"web", identifier=7
        )
        self.assertEqual(asked[0], expected)

    def test_long_handle(self):
        """A handle that would abort a registrar of rsplib is an invalid value."""
        scene, channel = self.scene(Limits(handle_bytes=32))
        handle = bytes(range(1, 34))
        answer = scene.register(channel, handle=handle, address="192.0.2.7")
        self.assertTrue(answer.rejected)
        [cause] = answer.error.causes
        self.assertEqual(cause.parameter[:37], bytes.fromhex("00090025") + handle)
        self.assertIn("a pool handle of 33 octets", scene.audits[-1].outcome)
        self.assertEqual(scene.members(handle), set())
        answer = scene.register(channel, handle=handle[:32], address="192.0.2.7")
        self.assertFalse(answer.rejected)

    def test_usable_addresses(self):
        """Addresses that aren't the association's are left out; without others it's refused."""
        own, other = ip_address("192.0.2.7"), ip_address("2001:db8::7")
        both, foreign = (
            SCTPTransport(port=1, addresses=found) for found in ((other, own), (other,))
        )
        scene, channel = self.scene(usable_addresses=True)
        for _ in range(2):
            self.assertFalse(scene.register(channel, transport=both).rejected)
            [element] = scene.resolve(channel).elements
            self.assertEqual(element.user_transport.addresses, (own,))
        self.assertTrue(scene.register(channel, 2, transport=foreign).rejected)
        scene, channel = self.scene()
        self.assertTrue(scene.register(channel, transport=both).rejected, "unless asked for")

    def test_unreadable(self):
        """What rsplib can't read is refused, with what it is: else whole tables were lost."""
        scene, channel = self.scene(readable_only=True)
        loopback = scene.channel("plain", PLAIN)
        own = policies.UnknownPolicy(number=0xBFFF0000)
        others = (
            OpaqueTransport(data=b"abc"), UDPLiteTransport(port=7, addresses=(HERE,)),
            DCCPTransport(port=7, service_code=1, addresses=(HERE,)),
        )  # fmt: skip
        for where, fields, words in (
            (channel, {"policy": own}, "doesn't know policy 0xbfff0000"),
            (channel, {"policy": policies.UnknownPolicy(number=0xB0002005)}, "0xb0002005"),
            *((channel, {"transport": one}, type(one).__name__) for one in others),
            (loopback, {"address": "127.0.0.1"}, "loopback"),
        ):
            answer = scene.register(where, **{"address": "192.0.2.7", **fields})
            self.assertIsInstance(answer.error.causes[0], causes.InvalidValues)
            self.assertIn(words, scene.audits[-1].outcome)
        for number in READABLE_POLICIES:
            if number in {cls.NUMBER for cls in policies.NAMES.values()}:
                continue
            known = policies.UnknownPolicy(number=number)
            handle = number.to_bytes(4, "big")
            answer = scene.register(channel, handle=handle, policy=known, address="192.0.2.7")
            self.assertFalse(answer.rejected)
        scene, channel = self.scene()
        self.assertFalse(scene.register(channel, policy=own, address="192.0.2.7").rejected)

    def test_captured_policies(self):
        """Every policy that rsplib sends is one that it is said to know."""
        seen = set()
        for name, data in vectors(but="asap-probes"):
            if name == "ASAP" and data[0] == 1:
                seen.add(policies.policy_number(asap.decode(data).message.element.policy))
        self.assertGreater(len(seen), 10)
        self.assertLessEqual(seen, READABLE_POLICIES)


class Told(SynchronousTestCase):
    """What other registrars are told of elements."""

    WAYS = Interop(always_asap_transport=True, strip_parameters=True)

    def listed(self, scope, ways):
        """What a peer that asks for the table is told, by identifier."""
        peer = scope.peer(0x90, proof=PLAIN)
        found = {}
        more = True
        while more:
            [part] = scope.say(peer, enrp.HandleTableRequest(sender=0x90))
            more = part.more
            for entry in enrp.entries(part):
                found |= {element.identifier: element for element in entry.elements}
        return found

    def test_parameters(self):
        """Nothing that RFC 5354 doesn't have, wherever it stood; users are told it still."""
        scope = Scope(interop=self.WAYS)
        other = TCPTransport(port=80, addresses=(ip_address("127.0.0.1"),), unknown=(ODD,))
        channel = scope.element()
        peer = scope.peer(0x10, proof=PLAIN)
        scope.register(channel, transport=other, unknown=(ODD,))
        [update] = scope.said(peer, enrp.HandleUpdate)
        element = update.element
        self.assertEqual((element.unknown, element.principal), ((), None))
        self.assertEqual(element.user_transport.unknown, ())
        self.assertEqual(element.asap_transport.port, 4711)
        self.assertEqual(self.listed(scope, self.WAYS)[1], element)
        scope.perform(scope.registrar.arrived(
            channel, [asap.encode(asap.HandleResolution(handle=b"web"))], scope.now
        ))  # fmt: skip
        [answer] = scope.said(channel)
        [shown] = answer.elements
        self.assertEqual((shown.unknown, shown.user_transport.unknown), ((ODD,), (ODD,)))

    def test_asap_transport(self):
        """One of SCTP for each: where it is called by TCP, or where its users are told."""
        scope = Scope(interop=self.WAYS)
        peer = scope.peer(0x10, proof=PLAIN)
        called = TCPTransport(port=4711, addresses=(HERE,))
        for identifier, where, known, port in (
            (1, SCTPTransport(port=7, use=1, addresses=(HERE,)), None, 7),
            (2, TCPTransport(port=8, addresses=(HERE,)), None, 8),
            (3, UDPTransport(port=9, addresses=(HERE,)), None, 9),
            (4, UDPTransport(port=9, addresses=(HERE,)), called, 4711),
            (5, TCPTransport(port=9, addresses=(HERE,)), SCTPTransport(
                port=5, addresses=(HERE,)), 5),
        ):  # fmt: skip
            element = parameters.PoolElement(
                identifier=identifier, home=0x10, life=300, user_transport=where,
                policy=policies.RoundRobin(), asap_transport=known,
            )  # fmt: skip
            handle = b"pool %d" % identifier
            message = enrp.HandleUpdate(
                sender=0x10, action=enrp.ADD_PE, handle=handle, element=element
            )
            scope.say(peer, message)
            found = self.listed(scope, self.WAYS)[identifier]
            expected = SCTPTransport(port=port, use=0, addresses=(HERE,))
            self.assertEqual(found.asap_transport, expected)
            self.assertEqual(found.user_transport, where)

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(strategies.element)
    def test_any(self, element):
        """Whatever an element looks like, what is told of it is a whole, known element."""
        scene = Scene(Settings(interop=self.WAYS))
        space = scene.registrar.handlespace
        entry = describe(element)
        found = space.replicate(b"p", entry, 0x10)
        found.contact = contact_of(element.asap_transport, element.principal)
        octets = replica.update(scene.registrar._share, found, replica.ADD_PE, receiver=7)
        decoded = enrp.decode(octets)
        self.assertEqual(decoded.report, ())
        told = decoded.message.element
        self.assertEqual((decoded.message.receiver, decoded.message.unknown), (7, ()))
        self.assertEqual(
            (told.identifier, told.home, told.life, told.policy, told.unknown, told.principal),
            (element.identifier, 0x10, element.life, element.policy, (), None),
        )
        self.assertEqual(getattr(told.user_transport, "unknown", ()), ())
        if isinstance(element.user_transport, OpaqueTransport):
            return
        self.assertEqual(told.user_transport.addresses, element.user_transport.addresses)
        self.assertEqual(told.asap_transport.unknown, ())
        self.assertIsInstance(told.asap_transport, SCTPTransport)
        if element.asap_transport is not None:
            self.assertEqual(told.asap_transport.port, element.asap_transport.port)

    def test_table(self):
        """Parts of at most so many octets, whatever is in them, and everything in the end."""
        ways = Interop(table_bytes=1400)
        scope = Scope(interop=ways)
        channel = scope.element()
        for identifier in range(1, 101):
            scope.register(channel, identifier, handle=b"pool %d" % (identifier % 7))
        peer = scope.peer(0x90, proof=PLAIN)
        found, parts, more = set(), 0, True
        while more:
            request = enrp.encode(enrp.HandleTableRequest(sender=0x90))
            effects = scope.registrar.arrived(peer, [request], scope.now)
            [effect] = [one for one in effects if isinstance(one, Send)]
            self.assertLessEqual(len(effect.data), 1400)
            message = enrp.decode(effect.data).message
            more, parts = message.more, parts + 1
            found |= {e.identifier for one in enrp.entries(message) for e in one.elements}
        self.assertEqual(found, set(range(1, 101)))
        self.assertGreater(parts, 5)

    def test_receiver(self):
        """Each registrar finds its own ID in an update, if updates name their receivers."""
        for ways, expected in ((Interop(update_receiver=True), (0x10, 0x90)), (None, (0, 0))):
            scope = Scope(**({} if ways is None else {"interop": ways}))
            one, other = scope.peer(0x10), scope.peer(0x90)
            channel = scope.element()
            scope.register(channel, 1)
            scope.register(channel, 2)
            for peer, identifier in zip((one, other), expected, strict=True):
                told = scope.said(peer, enrp.HandleUpdate)
                self.assertEqual([m.receiver for m in told], [identifier] * 2)
                self.assertEqual([m.element.identifier for m in told], [1, 2])

    def test_presence(self):
        """Checksum and exactly one Server Information, or no presence at all."""
        for where, expected in ((TCPTransport(port=9901, addresses=(HERE,)), 1), (None, 0)):
            scope = Scope(interop=Interop(full_presence=True), enrp_transport=where)
            channel = scope.channel("", proof=PLAIN)
            told = scope.say(
                channel, enrp.Presence(sender=0x10, checksum=0xFFFF, reply_required=True)
            )
            found = [m for m in told if isinstance(m, enrp.Presence)]
            self.assertEqual(bool(found), bool(expected))
            for message in found:
                self.assertEqual((message.checksum, message.unknown), (0xFFFF, ()))
                self.assertEqual(message.server.identifier, ME)


def frame(octets, receiver=ME):
    """What rsplib has sent, to us."""
    data = bytearray.fromhex(octets)
    data[8:12] = receiver.to_bytes(4, "big")
    return bytes(data)


R1, R3 = 0x11111111, 0x33333333
#: Of enrp-takeover3 and enrp-takeover-cut: two elements, of r3 and then of r1.
INIT = "07000010111111112222222233333333"
CHANGED = (
    "0100002c1111111122222222000f0006a49f0000000b0018111111110004001026ad0000000100080a020001"
)
TABLE = (
    "0300008811111111222222220009000c4563686f506f6f6c000a003800004001111111110000ea6000040010a86"
    "00001000100080a020004000800080000000100040010a48d0000000100080a020004000a003800004002111111"
    "110000ea6000040010deaa0001000100080a020004000800080000000100040010993900000001"
    "00080a020004"
)
DELETED = (
    "040000543333333322222222000100000009000c4563686f506f6f6c000a0038000040013333333300"
    "00ea6000040010c3fa0001000100080a0200040008000800000001000400108d670000000100080a020004"
)


class Registrars(SynchronousTestCase):
    """rsplib's registrars, as captured, and what ours makes of them."""

    def setUp(self):
        self.scope = Scope(
            interop=Interop(life_unit=0.001, update_receiver=True), lower_id_wins=True,
            max_time_no_response=3.0, max_time_last_heard=6.0,
        )  # fmt: skip
        self.r1 = self.scope.peer(R1, proof=PLAIN)
        self.r3 = self.scope.peer(R3, proof=PLAIN)

    def added(self):
        """Two elements of r3."""
        octets = bytearray.fromhex(DELETED)
        octets[12:14] = b"\0\0"  # the same update, but to add
        for identifier in (0x4001, 0x4002):
            octets[32:36] = identifier.to_bytes(4, "big")
            self.scope.say(self.r3, frame(octets.hex()))
        self.assertEqual(self.homes(), {0x4001: R3, 0x4002: R3})

    def homes(self):
        """Who owns what."""
        return self.scope.homes(b"EchoPool")

    def taken_over(self):
        """r3 dies, and r1 takes it over without a word about it."""
        self.added()
        self.scope.lose(self.r3)
        [ack] = self.scope.say(self.r1, frame(INIT))
        expected = enrp.InitTakeoverAck(sender=ME, receiver=R1, target=R3)
        self.assertEqual(ack, expected, "at once: it waits for five seconds")
        self.scope.wait(1)
        self.scope.said(self.r1)
        [asked] = self.scope.say(self.r1, frame(CHANGED))
        self.assertEqual(asked, enrp.HandleTableRequest(sender=ME, receiver=R1, own_only=True))
        self.scope.say(self.r1, frame(TABLE))

    def test_takeover_by_checksum(self):
        """A takeover that nobody announces is learnt from the new home's checksum and list."""
        self.taken_over()
        self.assertEqual(self.homes(), {0x4001: R1, 0x4002: R1})
        [peer] = [peer for peer in self.scope.registrar.peers if peer.identifier == R1]
        self.assertTrue(peer.synchronized)
        self.assertEqual(peer.ours, 0xA49F, "as r1 has it")

    def test_target_is_watched(self):
        """A target of which its initiator takes nothing over is taken over by us in the end."""
        self.added()
        self.scope.lose(self.r3)
        self.scope.say(self.r1, frame(INIT))
        for _ in range(12):  # r1 lives, and never says what became of it
            self.scope.wait(2)
            self.scope.say(
                self.r1, enrp.Presence(sender=R1, checksum=0xFFFF),
                enrp.InitTakeoverAck(sender=R1, receiver=ME, target=R3),
            )  # fmt: skip
        self.assertEqual(self.homes(), {0x4001: ME, 0x4002: ME})
        self.assertNotIn(R3, self.scope.known())

    def test_delete_by_another(self):
        """Back after a split, r3 deletes what r1 owns by now: that is r1's to say."""
        self.taken_over()
        r3 = self.scope.peer(R3, proof=PLAIN)
        told = self.scope.say(r3, frame(DELETED))
        self.assertEqual(self.homes(), {0x4001: R1, 0x4002: R1})
        self.assertEqual([type(m) for m in told], [enrp.Error])
        self.assertNotIn(r3, self.scope.closed)

    def test_delete_of_ours(self):
        """The same for elements that are ours, with a connection or without."""
        channel = self.scope.element("", proof=PLAIN)
        self.scope.register(channel, 0x4001, handle=b"EchoPool")
        for _ in range(2):
            self.scope.say(self.r3, frame(DELETED))
            self.assertEqual(self.homes(), {0x4001: ME})
            self.scope.lose(channel)

    def test_errors(self):
        """IDs that come back as we sent them, or none: it isn't ourselves, nor anybody else."""
        for octets in (
            "0a000014{:08x}00000000000c0008f0060004", "0a000014{:08x}11111111000c000800100004",
            "0a0000140000000000000000000c000800100004",
        ):  # fmt: skip
            data = bytes.fromhex(octets.format(ME))
            for _ in range(150):  # more than a connection may say that is wrong
                self.assertEqual(self.scope.say(self.r1, data), [])
            fresh = self.scope.channel("", "tcp:192.0.2.2:9901", proof=PLAIN)
            self.scope.said(fresh)
            self.assertEqual(self.scope.say(fresh, data), [])
        self.assertEqual(self.scope.closed, [])
        self.assertEqual(self.scope.registrar.counters.peer_errors, 453)
        self.assertEqual(self.scope.registrar.counters.peer_refusals, 0)
        self.assertTrue(self.scope.audited("peer.error"))

    def test_error_is_a_sign_of_life(self):
        """Who complains lives."""
        for _ in range(10):
            self.scope.wait(5)
            self.scope.say(self.r1, bytes.fromhex(f"0a000014{ME:08x}11111111000c000800100004"))
        dead = [audit.outcome for audit in self.scope.audits if audit.what == "peer.dead"]
        self.assertEqual({words[:10] for words in dead}, {"0x33333333"})

    def test_calls_again(self):
        """
        Who calls again whenever it has something to say gets its way, and calls no more.

        A registrar of rsplib doesn't find the connection that we have made: it looks for one
        with our port 9901, and makes it.
        """
        scope = Scope("tcp:192.0.2.2:9901")
        ours = scope.channel("", "tcp:192.0.2.2:9901", proof=PLAIN)
        scope.say(ours, enrp.Presence(sender=R1, checksum=0xFFFF))
        for _ in range(8):
            scope.wait(1.7)
            theirs = scope.channel("", proof=PLAIN)
            scope.say(theirs, enrp.Presence(sender=R1, checksum=0xFFFF))
            if theirs not in scope.closed:
                break
            scope.lose(theirs)
        self.assertIn(ours, scope.closed)
        self.assertNotIn(theirs, scope.closed)
        scope.lose(ours)
        self.assertTrue(scope.registrar.peers and scope.known() == {R1})

    def test_table_before_list(self):
        """A newcomer asks for the table at once, before it has any list; and it gets it."""
        channel = self.scope.element("", proof=PLAIN)
        self.scope.register(channel, 1)
        fresh = self.scope.channel("", proof=PLAIN)
        self.scope.said(fresh)
        told = self.scope.say(fresh, frame("0200000c9999999922222222"))
        [table] = [m for m in told if isinstance(m, enrp.HandleTableResponse)]
        self.assertFalse(table.rejected)
        [entry] = enrp.entries(table)
        self.assertEqual([e.identifier for e in entry.elements], [1])

    def test_split_pool(self):
        """A pool that goes on in the next part, under its handle again, is one pool."""
        parts = [
            data for name, data in vectors()
            if name == "ENRP" and data[0] == 3 and data[4:8] == R1.to_bytes(4, "big")
            and b"Beta" in data
        ]  # fmt: skip
        self.assertEqual(len(parts), 2, "enrp-table f20 and f22")
        scope = Scope("tcp:192.0.2.2:9901", interop=Interop(life_unit=0.001))
        mentor = scope.channel("", "tcp:192.0.2.2:9901", proof=PLAIN)
        scope.say(mentor, enrp.Presence(sender=R1, checksum=0))
        scope.say(mentor, enrp.ListResponse(sender=R1, receiver=ME))
        for data in parts:
            told = scope.say(mentor, frame(data.hex()))
            self.assertIn(enrp.HandleTableRequest(sender=ME, receiver=R1), told)
        self.assertEqual(set(scope.homes(b"Beta")), {0x1003, 0x1004, 0x1005, 0x1006})
        self.assertEqual(set(scope.homes(b"Alpha")), {0x1001, 0x1002})

    def test_crossing(self):
        """
        An update of the old home that crosses a registration with us takes nothing away.

        Each of rsplib's updates names us, so that it isn't an answer to a claim of ours: the
        element is asked, and r3 is told that it is here.
        """
        self.added()
        channel = self.scope.element("", proof=PLAIN)
        where = SCTPTransport(port=5, use=1, addresses=(ip_address("127.0.0.1"),))
        answer = self.scope.register(channel, 0x4001, handle=b"EchoPool", transport=where)
        self.assertFalse(answer.rejected)
        octets = bytearray.fromhex(DELETED)
        octets[12:14] = b"\0\0"
        self.scope.said(channel)
        self.scope.say(self.r3, frame(octets.hex()))
        self.assertEqual(self.homes()[0x4001], ME)
        self.assertTrue(self.scope.said(channel, asap.EndpointKeepAlive))
        ack = asap.EndpointKeepAliveAck(handle=b"EchoPool", identifier=0x4001)
        self.scope.perform(
            self.scope.registrar.arrived(channel, [asap.encode(ack)], self.scope.now)
        )
        [told] = self.scope.said(self.r3, enrp.HandleUpdate)
        self.assertEqual((told.action, told.element.home), (enrp.ADD_PE, ME))

    def returned(self, **ways):
        """We come back to somebody who lists an element of ours; its home then."""
        scope = Scope(interop=Interop(**ways))
        channel = scope.element("", proof=PLAIN)
        scope.register(channel, 1)
        scope.lose(channel)
        peer = scope.channel("r", proof=PLAIN)
        scope.say(peer, enrp.Presence(sender=0x90, checksum=0x1234))
        asked = enrp.HandleTableRequest(sender=0x90, receiver=ME, own_only=True)
        [first] = scope.say(peer, asked)
        entry = added(0x90, 1)
        listing = enrp.HandleTableResponse(
            sender=0x90, parts=(PoolHandle(handle=entry.handle), entry.element)
        )
        scope.say(peer, listing)
        [second] = scope.say(peer, asked)
        return first.rejected, second.rejected, scope.homes()[1]

    def test_returned(self):
        """
        An element that was taken over while we were away isn't claimed again.

        It wouldn't answer us, and theirs would believe that it is ours.
        """
        self.assertEqual(self.returned(update_receiver=True), (True, False, 0x90))
        self.assertEqual(self.returned(), (False, False, ME), "in the ways of the RFC")

    def test_put_off_once(self):
        """Who asks for our elements again is told them, whatever we know of its own."""
        scope = Scope(interop=Interop(update_receiver=True))
        scope.register(scope.element("", proof=PLAIN), 1)
        peer = scope.channel("r", proof=PLAIN)
        scope.say(peer, enrp.Presence(sender=0x90, checksum=0x1234))
        asked = enrp.HandleTableRequest(sender=0x90, receiver=ME, own_only=True)
        told = [scope.say(peer, asked)[0] for _ in range(3)]
        self.assertEqual([answer.rejected for answer in told], [True, False, False])
        whole = enrp.HandleTableRequest(sender=0x90, receiver=ME)
        other = scope.channel("r2", proof=PLAIN)
        scope.say(other, enrp.Presence(sender=0x91, checksum=0x1234))
        [answer] = scope.say(other, attrs.evolve(whole, sender=0x91))
        self.assertFalse(answer.rejected, "a mentor is asked once")

    def test_tie(self):
        """Two registrars that both have a connection don't claim an element for ever."""
        for other, kept in ((0x90, False), (0x10, True)):
            scope = Scope(interop=Interop(update_receiver=True))
            peer = scope.peer(other, proof=PLAIN)
            channel = scope.element("", proof=PLAIN)
            scope.register(channel, 1)
            ack = asap.EndpointKeepAliveAck(handle=b"web", identifier=1)
            for _ in range(5):
                scope.say(peer, added(other, 1))
                scope.perform(scope.registrar.arrived(channel, [asap.encode(ack)], scope.now))
            self.assertEqual(scope.homes(), {1: ME if kept else other})

    def test_tie_forgotten(self):
        """Of a registrar that is gone nothing is remembered."""
        for ways in ({"update_receiver": True}, {}):
            scope = Scope(interop=Interop(**ways))
            peer = scope.peer(0x10, proof=PLAIN)
            channel = scope.element("", proof=PLAIN)
            scope.register(channel, 1)
            ack = asap.EndpointKeepAliveAck(handle=b"web", identifier=1)
            scope.say(peer, added(0x10, 1))
            scope.perform(scope.registrar.arrived(channel, [asap.encode(ack)], scope.now))
            told = scope.registrar._scope.replication.ownership._insisted
            self.assertEqual(len(told), len(ways))
            scope.lose(peer)
            self.assertFalse(told)

    def test_arbitration(self):
        """The smaller ID goes on with a takeover that both have begun."""
        for other, mine in ((0x10, False), (0x90, True)):
            scope = Scope(lower_id_wins=True, max_time_no_response=3.0, max_time_last_heard=6.0)
            peer = scope.peer(other, proof=PLAIN)
            third = scope.peer(0x70, proof=PLAIN)
            scope.say(third, added(0x70, 1))
            for _ in range(5):
                scope.wait(2)
                scope.say(peer, enrp.Presence(sender=other, checksum=0xFFFF))
            scope.said(peer)
            told = scope.say(peer, enrp.InitTakeover(sender=other, receiver=ME, target=0x70))
            agreed = [m for m in told if isinstance(m, enrp.InitTakeoverAck)]
            self.assertEqual(bool(agreed), not mine, other)
