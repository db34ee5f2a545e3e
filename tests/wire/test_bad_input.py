"""Bad input ends in one precise error, in bounded time."""

import time
from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, causes, enrp, layout, parameters, policies
from rserpool.wire.errors import (
    BadLength,
    BadValue,
    EncodeError,
    Misplaced,
    Missing,
    Truncated,
)
from rserpool.wire.parameters import OperationError, PoolElement, SCTPTransport

HANDLE = bytes.fromhex("0009000561000000")
TCP = bytes.fromhex("00050010005000000001000800007f01")
ROUND_ROBIN = bytes.fromhex("0008000800000001")


def element(*inside: bytes, life: int = 30) -> bytes:
    """A Pool Element parameter with these parameters in it."""
    body = bytes.fromhex("0000000100000000") + life.to_bytes(4, "big") + b"".join(inside)
    return b"\x00\x0a" + (4 + len(body)).to_bytes(2, "big") + body


def message(kind: int, *inside: bytes) -> bytes:
    """A message with these parameters in it."""
    body = b"".join(inside)
    return bytes([kind, 0]) + (4 + len(body)).to_bytes(2, "big") + body


class Refused(SynchronousTestCase):
    """Each kind of fault has its error, with the offset of what is wrong."""

    def refused(self, data, kind, offset, protocol=asap):
        """Decoding fails like this."""
        error = self.assertRaises(kind, protocol.decode, data)
        self.assertEqual((type(error), error.offset), (kind, offset))
        return error

    def test_good(self):
        """The pieces used here are good ones, put together rightly."""
        found = asap.decode(message(1, HANDLE, element(TCP, ROUND_ROBIN))).message
        self.assertEqual(found.element.user_transport.port, 80)

    def test_message_length(self):
        """A Message Length that isn't the message's."""
        self.refused(b"", Truncated, 0)
        self.refused(bytes.fromhex("01000003"), BadLength, 2)
        self.refused(bytes.fromhex("010000c8") + HANDLE, Truncated, 2)
        self.refused(bytes.fromhex("0500000c") + HANDLE + HANDLE, BadLength, 12)

    def test_parameter_length(self):
        """A Parameter Length under 4 (which would loop for ever) or past its frame."""
        for length in range(4):
            self.refused(message(5, bytes([0, 9, 0, length])), BadLength, 6)
        self.refused(message(5, bytes.fromhex("00090009")), Truncated, 6)

    def test_nested_past_its_parent(self):
        """A nested parameter that is longer than what holds it, but not than the message."""
        inner = bytearray(TCP)
        inner[3] = 0x20
        data = message(1, HANDLE, element(bytes(inner), ROUND_ROBIN), HANDLE, HANDLE)
        self.refused(data, Truncated, 30)

    def test_missing(self):
        """A mandatory parameter isn't there."""
        self.refused(message(1, HANDLE), Missing, 12)
        self.refused(message(1, HANDLE, element(TCP)), Missing, 44)
        self.refused(message(5), Missing, 4)

    def test_doubled(self):
        """A parameter comes twice."""
        self.refused(message(5, HANDLE, HANDLE), Misplaced, 12)
        self.refused(message(1, HANDLE, element(TCP, TCP, ROUND_ROBIN)), Misplaced, 44)

    def test_misplaced(self):
        """A known parameter where another belongs."""
        self.refused(message(1, element(TCP, ROUND_ROBIN), HANDLE), Misplaced, 4)
        self.refused(message(1, HANDLE, element(ROUND_ROBIN, TCP)), Misplaced, 28)

    def test_addresses(self):
        """Addresses of a wrong length, none, and two where one is allowed."""
        for head, body in (("00010007", "7f000000"), ("0001000c", "7f00000100000000"),
                           ("00020008", "7f000001")):  # fmt: skip
            inner = bytes.fromhex(head + body)
            tcp = b"\0\5" + (8 + len(inner)).to_bytes(2, "big") + b"\0\x50\0\0" + inner
            error = self.assertRaises(
                BadLength, asap.decode, message(1, HANDLE, element(tcp, ROUND_ROBIN))
            )
            self.assertEqual(error.offset, 40)
        none = bytes.fromhex("0005000800500000")
        self.refused(message(1, HANDLE, element(none, ROUND_ROBIN)), Missing, 36)
        two = bytes.fromhex("0005001800500000") + TCP[8:] * 2
        self.refused(message(1, HANDLE, element(two, ROUND_ROBIN)), Misplaced, 44)

    def test_policy(self):
        """A policy of a wrong length for its number, or of a reserved number."""
        short = bytes.fromhex("000800080000000200")[:8]
        self.refused(message(1, HANDLE, element(TCP, short)), Truncated, 52)
        long = bytes.fromhex("0008000c0000000100000000")
        self.refused(message(1, HANDLE, element(TCP, long)), BadLength, 52)
        for number in ("00000000", "40000000"):
            reserved = bytes.fromhex("00080008" + number)
            self.refused(message(1, HANDLE, element(TCP, reserved)), BadValue, 48)

    def test_operation_errors(self):
        """An Operation Error without causes, and one nested in a cause, which stays octets."""
        self.refused(message(0x0E, bytes.fromhex("000c0004")), Missing, 8)
        inner = bytes.fromhex("000c00080003000c")
        cause = b"\0\3" + (4 + len(inner)).to_bytes(2, "big") + inner
        error = b"\0\x0c" + (4 + len(cause)).to_bytes(2, "big") + cause
        found = asap.decode(message(0x0E, error)).message
        self.assertEqual(found.error.causes, (causes.InvalidValues(parameter=inner),))

    def test_offending_parameter(self):
        """The error holds the offending parameter, for an Invalid Values cause."""
        error = self.refused(message(5, HANDLE, HANDLE), Misplaced, 12)
        self.assertEqual(error.tlv, HANDLE[:5])


class Bounded(SynchronousTestCase):
    """Large messages cost time in proportion, and no more."""

    def test_thousands_of_addresses(self):
        """64 KiB of addresses are decoded in a moment."""
        many = SCTPTransport(port=1, addresses=(ip_address("127.0.0.1"),) * 8000)
        data = asap.encode(
            asap.Registration(
                handle=b"a",
                element=PoolElement(
                    identifier=1, life=1, user_transport=many, policy=policies.RoundRobin()
                ),
            )
        )
        began = time.process_time()
        self.assertEqual(len(asap.decode(data).message.element.user_transport.addresses), 8000)
        self.assertLess(time.process_time() - began, 0.5)

    def test_reports(self):
        """Of 16,000 unknown parameters so many are reported as fit into an answer."""
        unknown = bytes.fromhex("c0110004") * 16000
        decoded = asap.decode(message(5, HANDLE, unknown))
        self.assertEqual(len(decoded.report), layout.MAXIMUM_REPORTS)
        error = asap.Error(error=OperationError(causes=decoded.report))
        self.assertLess(len(asap.encode(error)), 65536)

    def test_whole_quotes(self):
        """An unknown parameter and an unknown message are quoted whole, up to 16 KiB."""
        long = b"\xc0\x11" + layout.MAXIMUM_WHOLE.to_bytes(2, "big")
        long += bytes(layout.MAXIMUM_WHOLE - 4)
        [report] = asap.decode(message(5, HANDLE, long)).report
        self.assertEqual(report.parameter, long)
        strange = message(0x4F, bytes(layout.MAXIMUM_WHOLE - 4))
        [report] = asap.decode(strange).report
        self.assertEqual(report.message, strange)

    def test_longer_ones(self):
        """A longer one is quoted in part."""
        long = b"\xc0\x11\xea\x60" + bytes(60_000 - 4)
        [report] = asap.decode(message(5, HANDLE, long)).report
        self.assertEqual(report.parameter, long[: layout.MAXIMUM_QUOTE])
        [report] = asap.decode(message(0x4F, bytes(60000))).report
        self.assertEqual(len(report.message), layout.MAXIMUM_QUOTE)

    def test_one_answer(self):
        """All quotes of one message fit into one answer, of ASAP and of ENRP."""
        for size in (4, 5, 1021, 4093, 4096, 8189, 12_000, 16_000, 16_381, 16_384):
            strange = b"\xc0\x11" + size.to_bytes(2, "big") + bytes((size + 3) // 4 * 4 - 4)
            count = min(65_000 // len(strange), 20)
            report = asap.decode(message(5, HANDLE, strange * count)).report
            self.assertEqual(len(report), min(count, layout.MAXIMUM_REPORTS))
            error = OperationError(causes=report)
            self.assertLess(len(asap.encode(asap.Error(error=error))), 65_536)
            self.assertLess(len(enrp.encode(enrp.Error(sender=1, error=error))), 65_536)
            for cause in report[: layout.MAXIMUM_QUOTES // size]:
                self.assertEqual(cause.parameter, strange[:size])

    def test_no_room(self):
        """When there is no room for more, a parameter is quoted by its header."""
        self.assertEqual(layout.quoted(b"\xc0\x11\0\x08abcd", 7), b"\xc0\x11\0\x08abc")
        self.assertEqual(layout.quoted(b"\xc0\x11\0\x08abcd", -9), b"\xc0\x11\0\x08")

    def test_too_long_to_send(self):
        """What doesn't fit is our own error."""
        with self.assertRaises(EncodeError):
            asap.encode(asap.HandleResolution(handle=bytes(65536)))
        with self.assertRaises(EncodeError):
            asap.encode(
                asap.HandleResolutionResponse(
                    handle=b"a",
                    elements=(
                        PoolElement(
                            identifier=1,
                            life=1,
                            user_transport=parameters.OpaqueTransport(data=bytes(30000)),
                            policy=policies.RoundRobin(),
                        ),
                    )
                    * 3,
                )
            )


class Unknown(SynchronousTestCase):
    """Unknown types by their two highest bits (RFC 5354 sections 3 and 4)."""

    def decode(self, first, nested):
        """A registration with an unknown parameter, in itself or in its element."""
        strange = bytes.fromhex(first + "1110006abcd0000")
        if nested:
            return asap.decode(message(1, HANDLE, element(TCP, strange, ROUND_ROBIN)))
        return asap.decode(message(1, HANDLE, strange, element(TCP, ROUND_ROBIN)))

    def test_parameters(self):
        """00 and 01 discard the message, 10 and 11 skip; 01 and 11 report."""
        for first, discard, report in (("0", 1, 0), ("4", 1, 1), ("8", 0, 0), ("c", 0, 1)):
            for nested in (False, True):
                decoded = self.decode(first, nested)
                self.assertEqual(decoded.message is None, bool(discard))
                self.assertEqual(len(decoded.report), report)

    def test_reported_as_it_came(self):
        """The report quotes the whole parameter, without its padding."""
        [cause] = self.decode("4", True).report
        self.assertEqual(cause.parameter, bytes.fromhex("41110006abcd"))

    def test_kept(self):
        """What is skipped is kept, and survives being encoded again."""
        found = self.decode("8", True).message
        self.assertEqual(found.element.unknown, (bytes.fromhex("81110006abcd"),))
        self.assertEqual(asap.decode(asap.encode(found)).message, found)

    def test_messages(self):
        """01 reports the message; 00 and the reserved 10 and 11 are dropped silently."""
        for number, reported in ((0x0F, 0), (0x4F, 1), (0x8F, 0), (0xCF, 0)):
            decoded = asap.decode(message(number, HANDLE))
            self.assertIsNone(decoded.message)
            self.assertEqual(len(decoded.report), reported)


class Reserved(SynchronousTestCase):
    """Values that the RFCs reserve are refused, with the offset of the field."""

    def test_update_action(self):
        """Update Actions but ADD_PE and DEL_PE "MUST NOT be used" (RFC 5353 section 2.4)."""
        for action in (2, 0xFFFF):
            head = bytes.fromhex("0000000100000002") + action.to_bytes(2, "big") + bytes(2)
            data = message(4, head, HANDLE, element(TCP, ROUND_ROBIN))
            error = self.assertRaises(BadValue, enrp.decode, data)
            self.assertEqual(error.offset, 12)
        with self.assertRaises(EncodeError):
            enrp.HandleUpdate(
                sender=1,
                action=2,
                handle=b"a",
                element=parameters.decode(element(TCP, ROUND_ROBIN)),
            )

    def test_transport_use(self):
        """Transport Use "MUST be populated with one of" two values (RFC 5354 section 3.4)."""
        sctp = bytes.fromhex("00040010005000020001000800007f01")
        data = message(1, HANDLE, element(sctp, ROUND_ROBIN))
        error = self.assertRaises(BadValue, asap.decode, data)
        self.assertEqual((error.offset, error.tlv), (34, sctp))
        with self.assertRaises(EncodeError):
            SCTPTransport(port=80, use=2, addresses=(ip_address("::1"),))


class Tables(SynchronousTestCase):
    """Pool entries of a handle table (RFC 5353 section 2.3)."""

    ONE = element(TCP, ROUND_ROBIN)
    IDS = bytes.fromhex("0000000100000002")
    STRANGE = bytes.fromhex("80110004")

    def table(self, *parts):
        """A table with these parameters, decoded and taken apart."""
        return enrp.entries(enrp.decode(message(3, self.IDS, *parts)).message)

    def refused(self, kind, offset, *parts):
        """Decoding such a table fails like this."""
        error = self.assertRaises(kind, enrp.decode, message(3, self.IDS, *parts))
        self.assertEqual((type(error), error.offset), (kind, offset))
        return error

    def test_entries(self):
        """Each handle is followed by its elements."""
        entries = self.table(HANDLE, self.ONE, self.ONE, HANDLE, self.ONE)
        self.assertEqual([len(entry.elements) for entry in entries], [2, 1])
        self.assertEqual(len(enrp.parts(entries)), 5)
        self.assertEqual(self.table(), ())

    def test_element_first(self):
        """An element before any handle is refused where it stands."""
        error = self.refused(Misplaced, 12, self.ONE)
        self.assertEqual(error.tlv, self.ONE)
        self.refused(Misplaced, 16, self.STRANGE, self.ONE, HANDLE, self.ONE)

    def test_handle_alone(self):
        """A handle without elements is refused where its first element should stand."""
        self.refused(Missing, 20, HANDLE)
        self.refused(Missing, 20, HANDLE, HANDLE, self.ONE)
        self.refused(Missing, 28 + len(self.ONE), HANDLE, self.ONE, HANDLE)
        self.refused(Missing, 24, self.STRANGE, HANDLE)

    def test_rejected_with_entries(self):
        """A rejection is one whatever else it holds: its receiver uses none of it."""
        data = bytearray(message(3, self.IDS, HANDLE, self.ONE))
        data[1] = 1
        found = enrp.decode(bytes(data)).message
        self.assertTrue(found.rejected)
        self.assertEqual(enrp.entries(found), ())

    def test_not_sent(self):
        """Entries in a rejection, and entries out of order, are never sent."""
        handle = parameters.PoolHandle(handle=b"a")
        one = parameters.decode(self.ONE)
        for rejected, parts in ((True, (handle, one)), (False, (one,)), (False, (handle,))):
            response = enrp.HandleTableResponse(sender=1, rejected=rejected, parts=parts)
            self.assertRaises(EncodeError, enrp.encode, response)
        server = parameters.ServerInformation(identifier=1, transport=one.user_transport)
        self.assertRaises(
            EncodeError,
            enrp.encode,
            enrp.ListResponse(sender=1, rejected=True, servers=(server,)),
        )
