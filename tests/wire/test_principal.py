"""The principal of an element, between registrars: a parameter of our own."""

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, enrp, parameters, policies
from rserpool.wire.errors import BadValue, EncodeError, Misplaced
from rserpool.wire.parameters import MAXIMUM_PRINCIPAL, PoolElement, Principal, TCPTransport

TCP = TCPTransport(port=80, addresses=(ip_address("192.0.2.1"),))


def element(**more):
    """An element, and whatever else it says."""
    return PoolElement(
        identifier=1, life=30, user_transport=TCP, policy=policies.Random(), **more
    )


def raw(name: bytes) -> bytes:
    """A Pool Element with these octets as its principal."""
    plain = parameters.encode(element())
    tlv = b"\x80\xf5" + (4 + len(name)).to_bytes(2, "big") + name
    body = plain[4:] + tlv
    return b"\0\x0a" + (4 + len(body)).to_bytes(2, "big") + body


class Principals(SynchronousTestCase):
    """A Pool Element may name the principal that registered it."""

    def test_at_the_end(self):
        """It comes last of what is declared, after the ASAP Transport."""
        data = parameters.encode(element(asap_transport=TCP, principal="web-1"))
        self.assertTrue(data.endswith(bytes.fromhex("80f50009") + b"web-1\0\0\0"))
        self.assertEqual(parameters.decode(data).principal, "web-1")

    def test_only_when_set(self):
        """An element without one is encoded as if there were no such parameter."""
        self.assertNotIn(b"\x80\xf5", parameters.encode(element(asap_transport=TCP)))
        self.assertIsNone(parameters.decode(parameters.encode(element())).principal)

    def test_others_skip_it(self):
        """The highest bits of its type are 10: skipped by others, and not reported."""
        self.assertEqual(0x80F5 >> 14, 0b10)

    def test_names(self):
        """Any printable name goes, from one octet to the longest of a certificate."""
        for name in ("a", "dns:" + 255 * "x", "uri:https://example.org/a?b=c", "Zoë Müller"):
            found = parameters.decode(parameters.encode(element(principal=name)))
            self.assertEqual(found.principal, name)

    def test_refused(self):
        """No UTF-8, nothing printable, nothing at all and too much are bad values."""
        for name in (b"\xff", b"a\xc3", b"a\n", b"\0", "\u202ea".encode(), b"",
                     b"x" * (MAXIMUM_PRINCIPAL + 1)):  # fmt: skip
            data = raw(name)
            error = self.assertRaises(BadValue, parameters.decode, data)
            self.assertEqual(error.offset, len(data) - len(name))
            self.assertEqual(error.tlv[:2], b"\x80\xf5")

    def test_not_sent(self):
        """A name that must not be sent is our own error."""
        for name in ("", "a\n", "x" * (MAXIMUM_PRINCIPAL + 1), "\ud800"):
            self.assertRaises(EncodeError, Principal, name=name)
            self.assertRaises(EncodeError, parameters.encode, element(principal=name))

    def test_once(self):
        """A second one is misplaced."""
        another = bytes.fromhex("80f5000561000000")
        data = parameters.encode(element(principal="a"))[4:] + another
        twice = b"\0\x0a" + (4 + len(data)).to_bytes(2, "big") + data
        self.assertRaises(Misplaced, parameters.decode, twice)

    def test_in_messages(self):
        """It travels in updates, and in whatever else holds an element."""
        update = enrp.HandleUpdate(
            sender=1, action=enrp.ADD_PE, handle=b"a", element=element(principal="web-1")
        )
        self.assertEqual(enrp.decode(enrp.encode(update)).message, update)
        registration = asap.Registration(handle=b"a", element=element(principal="web-1"))
        self.assertEqual(asap.decode(asap.encode(registration)).message, registration)
