"""What a registrar doesn't know of an element, it passes on (RFC 5354 section 3)."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Resolution
from rserpool.client.statement import ELEMENT_SIGNATURE, signatures, signed
from rserpool.client.verifier import Verifier
from rserpool.registrar.events import Channel, Protocol
from rserpool.security.decisions import Proof, Subject
from rserpool.security.signing.entitled import Entitled
from rserpool.wire import asap, enrp
from rserpool.wire.compiled import KNOWN
from rserpool.wire.errors import WireError
from rserpool.wire.layout import padded, tlv
from rserpool.wire.parameters import PoolElement
from tests.registrar.scope import ME, Scope, added, described, table
from tests.security.signing.signing import NOW, signer
from tests.vectors import vectors

SMALL = 0x10
#: Of the skip classes, 10 and 11: what is like a signature, of odd length, empty.
STRANGE = (tlv(ELEMENT_SIGNATURE, bytes(range(92))), tlv(0x8111, b"odd"), tlv(0xC111, b""))


def length(data, at):
    """The length at an offset."""
    return int.from_bytes(data[at : at + 2], "big")


def with_strange(data, first):
    """A registration with parameters in its element that nobody knows, first or last."""
    at = 4 + (length(data, 6) + 3 & ~3)
    assert data[at : at + 2] == b"\x00\x0a", data.hex()
    end = at + length(data, at + 2)
    strange = b"".join(map(padded, STRANGE[:-1])) + STRANGE[-1]
    inside = data[at + 16 : end]
    inside = strange + inside if first else padded(inside) + strange
    element = data[at : at + 2] + (16 + len(inside)).to_bytes(2, "big")
    body = data[4:at] + element + data[at + 4 : at + 16] + inside
    return padded(data[:2] + (4 + len(body)).to_bytes(2, "big") + body)


def captured():
    """The registrations of rsplib's elements and of scripted ones."""
    for protocol, data in vectors():
        if protocol == "ASAP" and data[0] == 1:
            try:
                decoded = asap.decode(data)
            except WireError:
                continue  # wrong on purpose
            if decoded.message is not None and not decoded.message.element.unknown:
                yield data, decoded.message


class Case(SynchronousTestCase):
    """A registrar with a peer, an element that registers, and a user that asks."""

    def setUp(self):
        """It runs, and has heard of the peer."""
        self.scope = Scope()
        self.peer = self.scope.peer(SMALL)
        self.user = self.scope.element("user")

    def registers(self, data, message):
        """Register by octets, from the element's own addresses; the answer."""
        where = message.element.user_transport
        addresses = frozenset(getattr(where, "addresses", ()))
        subject = Subject("pe", Proof.PSK, str(min(addresses, key=str)))
        channel = Channel(Protocol.ASAP, subject, addresses, 4711)
        self.scope.sent[channel] = []
        self.scope.perform(self.scope.registrar.arrived(channel, [data], self.scope.now))
        answers = self.scope.said(channel, asap.RegistrationResponse)
        self.scope.lose(channel)
        return answers[0]

    def resolved(self, handle=b"web"):
        """The elements that a user is told of, by identifier."""
        question = asap.encode(asap.HandleResolution(handle=handle))
        self.scope.perform(self.scope.registrar.arrived(self.user, [question], self.scope.now))
        [answer] = self.scope.said(self.user, asap.HandleResolutionResponse)
        return {element.identifier: element for element in answer.elements}

    def told_of(self, request):
        """The elements in what the peer is told."""
        found = []
        for message in self.scope.say(self.peer, request):
            if isinstance(message, enrp.HandleTableResponse):
                found += [one for one in message.parts if isinstance(one, PoolElement)]
        return found


class Captured(Case):
    """Registrations of the reference implementation, with parameters that nobody knows."""

    def test_all(self):
        """Storage, answers, updates and tables have them octet for octet."""
        for raw in STRANGE:
            self.assertNotIn(length(raw, 0), KNOWN)
        done = set()
        for data, message in captured():
            handle, identifier = message.handle, message.element.identifier
            kind = handle, type(message.element.policy), type(message.element.user_transport)
            if kind in done:
                continue
            for first in (True, False):
                self.setUp()
                answer = self.registers(with_strange(data, first), message)
                if answer.rejected:
                    self.assertTrue(self.registers(data, message).rejected, data.hex())
                    continue
                done.add(kind)
                self.assertEqual(self.resolved(handle)[identifier].unknown, STRANGE)
                [update] = self.scope.said(self.peer, enrp.HandleUpdate)
                self.assertEqual(update.element.unknown, STRANGE)
                [one] = self.told_of(enrp.HandleTableRequest(sender=SMALL))
                self.assertEqual(one.unknown, STRANGE)
                # Without them it is the element that rsplib's would be.
                plain = message.element
                self.assertEqual(
                    (one.policy, one.user_transport, one.life),
                    (plain.policy, plain.user_transport, plain.life),
                )
        self.assertGreater(len({handle for handle, _, _ in done}), 20)
        self.assertGreater(len({policy for _, policy, _ in done}), 8)


class Replicated(Case):
    """The same from registrar to registrar."""

    def test_update(self):
        """An element that a peer tells of has all that it has been told with."""
        self.scope.say(self.peer, added(SMALL, 7, unknown=STRANGE))
        self.assertEqual(self.resolved()[7].unknown, STRANGE)

    def test_table(self):
        """So has one from the table of a mentor."""
        scope = Scope("r16")
        self.scope = scope
        mentor = scope.channel("r16", dialled="r16")
        scope.say(mentor, enrp.Presence(sender=SMALL, checksum=0))
        scope.say(mentor, enrp.ListResponse(sender=SMALL, receiver=ME, servers=()))
        scope.say(mentor, table(SMALL, described(7, SMALL, unknown=STRANGE)))
        self.user = scope.element("user")
        self.assertTrue(scope.serving)
        self.assertEqual(self.resolved()[7].unknown, STRANGE)

    def test_taken_over(self):
        """A new home leaves it as it is."""
        self.scope.say(self.peer, added(SMALL, 7, unknown=STRANGE))
        self.scope.lose(self.peer)
        for _ in range(300):
            if self.scope.homes() == {7: ME}:
                break
            self.scope.wait(1)
        self.assertEqual(self.scope.homes(), {7: ME})
        self.assertEqual(self.resolved()[7].unknown, STRANGE)


class Signatures(Case):
    """A registrar that knows nothing of signatures (as ours does not) keeps them whole."""

    def test_all_the_way(self):
        """What an element has signed holds at the other end, from whichever registrar."""

        class Believed:
            """Believes the one key."""

            def find(self, signature, now):
                return Entitled("pe", signer().public)

        verifier = Verifier(Believed(), clock=lambda: NOW)
        one = signed(b"web", described(7, 0), signer())
        message = asap.Registration(handle=b"web", element=one)
        self.assertFalse(self.registers(asap.encode(message), message).rejected)
        found = self.resolved()[7]
        self.assertEqual((found.home, signatures(found)), (ME, signatures(one)))
        [update] = self.scope.said(self.peer, enrp.HandleUpdate)
        for told in (found, update.element):
            resolution = Resolution(b"web", told.policy, (told,))
            self.assertEqual(verifier(resolution).distrusted, ())
