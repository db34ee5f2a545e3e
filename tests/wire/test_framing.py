"""Messages out of a stream (design: messages back to back, each padded)."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire.errors import BadLength
from rserpool.wire.framing import Splitter

message = st.integers(4, 300).map(
    lambda length: bytes([7, 0]) + length.to_bytes(2, "big") + bytes((length + 3 & ~3) - 4)
)


class Splitting(SynchronousTestCase):
    """Any stream, in any chunks."""

    @settings(deadline=None, max_examples=200, derandomize=True)
    @given(st.lists(message, max_size=20), st.data())
    def test_any_chunks(self, messages, data):
        """However the stream is cut, the messages come out as they went in."""
        stream = b"".join(messages)
        cuts = sorted(
            [*data.draw(st.lists(st.integers(0, len(stream)), max_size=10)), 0, len(stream)]
        )
        splitter = Splitter()
        found = [
            m for a, b in zip(cuts, cuts[1:], strict=False) for m in splitter.feed(stream[a:b])
        ]
        self.assertEqual(found, messages)

    def test_octet_by_octet(self):
        """A message of 64 KiB may come octet by octet; the time is in proportion."""
        large = bytes.fromhex("0700ffff") + bytes(65532)
        splitter = Splitter()
        began = time.process_time()
        found = [m for at in range(len(large)) for m in splitter.feed(large[at : at + 1])]
        self.assertEqual(found, [large])
        self.assertLess(time.process_time() - began, 2.0)

    def test_bad_length(self):
        """A length under 4 ends the stream, even behind good messages."""
        for length in range(4):
            with self.assertRaises(BadLength):
                Splitter().feed(bytes([7, 0, 0, 4, 7, 0, 0, length]))

    def test_first_octets(self):
        """Nothing comes out before a header is complete."""
        splitter = Splitter()
        self.assertEqual(splitter.feed(b"\7\0"), [])
        self.assertEqual(splitter.feed(b""), [])
        self.assertEqual(splitter.feed(b"\0\4\7"), [b"\7\0\0\4"])
