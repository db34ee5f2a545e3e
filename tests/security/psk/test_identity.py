"""Which octets may be an identity."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk.identity import MAXIMUM_IDENTITY, fingerprint, readable, stand_in


class Readable(SynchronousTestCase):
    """From octets to text."""

    def test_printable(self) -> None:
        """Printable UTF-8 is an identity as it is, with nothing normalized."""
        for text in ("pe-1", "web-1~2", "a@b", "Zürich", "e\u0301", "x" * MAXIMUM_IDENTITY):
            self.assertEqual(readable(text.encode()), text)

    def test_others(self) -> None:
        """Empty, long, binary and control octets are no identity."""
        for octets in (
            b"",
            b"x" * (MAXIMUM_IDENTITY + 1),
            b"\xff\xfe",
            b"pe-1\0",
            b"pe\n1",
            "\u202epe".encode(),
            bytes(range(32)),
        ):
            self.assertIsNone(readable(octets), octets)


class Keys(SynchronousTestCase):
    """What stands in the place of keys."""

    def test_stand_in(self) -> None:
        """An identity has the same stand-in key each time, and no other has it."""
        self.assertEqual(stand_in(b"a"), stand_in(b"a"))
        self.assertNotEqual(stand_in(b"a"), stand_in(b"b"))
        self.assertEqual(len(stand_in(b"a")), 32)

    def test_fingerprint(self) -> None:
        """A fingerprint tells secrets apart and isn't a stand-in key."""
        self.assertEqual(fingerprint(b"a"), fingerprint(b"a"))
        self.assertNotEqual(fingerprint(b"a"), fingerprint(b"b"))
        self.assertNotEqual(fingerprint(b"a"), stand_in(b"a")[:16])
