"""Every declared type survives encoding and decoding, and no part of it does."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, declared, enrp, parameters
from rserpool.wire.errors import WireError
from tests import strategies

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
MESSAGES = [(p, cls) for p in (asap.ASAP, enrp.ENRP) for cls in p.classes.values()]


class Messages(SynchronousTestCase):
    """All 14 messages of ASAP and all 10 of ENRP."""

    def test_all_are_declared(self):
        """Each number of the RFCs has its class."""
        self.assertEqual(sorted(asap.ASAP.classes), list(range(1, 15)))
        self.assertEqual(sorted(enrp.ENRP.classes), list(range(1, 11)))

    def test_round_trip(self):
        """Decoding gives back what was encoded, padded to four octets."""
        for protocol, cls in MESSAGES:
            self.check(40, protocol, cls, self.round_trip)

    def test_every_prefix_is_refused(self):
        """A message cut short is refused, wherever it is cut."""
        for protocol, cls in MESSAGES:
            self.check(5, protocol, cls, self.prefixes)

    def test_cut_short_in_itself(self):
        """A message whose own length is cut as well ends in WireError or in a value."""
        for protocol, cls in MESSAGES:
            self.check(5, protocol, cls, self.cut)

    def check(self, examples, protocol, cls, holds):
        """Something holds for messages of this class."""

        @settings(QUICK, max_examples=examples)
        @given(strategies.message(cls))
        def check(message):
            holds(protocol, message, protocol.encode(message))

        check()

    def round_trip(self, protocol, message, data):
        """It decodes to the same, and encodes to the same."""
        self.assertEqual(len(data) % 4, 0)
        self.assertEqual(protocol.decode(data).message, message)
        self.assertEqual(protocol.encode(protocol.decode(data).message), data)

    def prefixes(self, protocol, message, data):
        """No part of it decodes."""
        for end in range(int.from_bytes(data[2:4], "big")):
            with self.assertRaises(WireError):
                protocol.decode(data[:end])

    def cut(self, protocol, message, data):
        """A part that claims to be whole decodes or is refused, at an offset inside."""
        for end in range(4, len(data), 4):
            try:
                protocol.decode(data[:2] + end.to_bytes(2, "big") + data[4:end])
            except WireError as error:
                self.assertLessEqual(error.offset, end)

    def test_flags_are_separate(self):
        """Flags that a message doesn't have are ignored."""
        data = bytearray(asap.encode(asap.HandleResolution(handle=b"a")))
        data[1] = 0xFE
        self.assertEqual(asap.decode(bytes(data)).message, asap.HandleResolution(handle=b"a"))

    @QUICK
    @given(st.binary(max_size=120))
    def test_any_bytes(self, data):
        """Whatever the bytes, WireError is all that comes."""
        for protocol in (asap, enrp):
            for kind in range(16):
                for head in (
                    data,
                    bytes([kind, 0]) + (len(data) + 4).to_bytes(2, "big") + data,
                ):
                    try:
                        protocol.decode(head)
                    except WireError:
                        pass


class Parameters(SynchronousTestCase):
    """All sixteen of RFC 5354, the Handle Resolution Option, and our own Principal."""

    def test_all_are_declared(self):
        """Each number of Table 1 has its class."""
        self.assertEqual(sorted(declared.DECODERS), [*range(1, 0x11), 0x803F, 0x80F5])

    def test_round_trip(self):
        """Decoding gives back what was encoded."""
        for cls in declared.ENCODERS:

            @QUICK
            @given(strategies.parameter(cls))
            def check(parameter):
                data = parameters.encode(parameter)
                self.assertEqual(len(data) % 4, 0)
                self.assertEqual(parameters.decode(data), parameter)

            check()

    def test_every_prefix_is_refused(self):
        """A parameter cut short is refused, wherever it is cut."""
        for cls in declared.ENCODERS:

            @settings(QUICK, max_examples=5)
            @given(strategies.parameter(cls))
            def check(parameter):
                data = parameters.encode(parameter)
                for end in range(int.from_bytes(data[2:4], "big")):
                    with self.assertRaises(WireError):
                        parameters.decode(data[:end])

            check()
