"""Signatures over what an element registers (RFC 5355 section 2.17)."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.signing import signature
from rserpool.security.signing.signature import (
    MOST_CERTIFICATE,
    MOST_LIFE,
    SKEW,
    Doubt,
    Signature,
    Untrusted,
)
from rserpool.security.signing.signer import LIFE, Signer
from tests.security.signing.signing import NOW, key, signer

STATEMENT = b"what the element says"


class Case(SynchronousTestCase):
    """One signature, and what is done to it."""

    def setUp(self):
        """A good one."""
        self.signer = signer()
        self.value = self.signer.sign(STATEMENT, 300)

    def doubt(self, call, *values):
        """Why it isn't believed."""
        with self.assertRaises(Untrusted) as caught:
            call(*values)
        self.assertTrue(str(caught.exception))
        return caught.exception.doubt


class Signed(Case):
    """Whether a key has signed it."""

    def test_good(self):
        """What was signed holds, with the key's name and its time."""
        found = Signature.decode(self.value)
        found.check(self.signer.public, STATEMENT)
        found.check_time(NOW)
        self.assertEqual(found.key_id, signature.key_id(self.signer.public))
        self.assertEqual(found.times, (NOW, NOW + 300))
        self.assertEqual(found.encode(), self.value)

    def test_each_bit(self):
        """No bit of it can be changed, nor of what was signed, and it still hold."""
        for data, check in (
            (self.value, lambda octets: self.whole(octets, STATEMENT)),
            (STATEMENT, lambda octets: self.whole(self.value, octets)),
        ):
            check(data)
            for at in range(len(data) * 8):
                changed = bytearray(data)
                changed[at // 8] ^= 1 << at % 8
                self.assertIn(
                    self.doubt(check, bytes(changed)), (Doubt.FORGED, Doubt.MALFORMED), at
                )

    def whole(self, value, statement):
        """Read it and check it."""
        Signature.decode(value).check(self.signer.public, statement)

    def test_prefixes(self):
        """No prefix of it is one."""
        for size in range(len(self.value)):
            self.assertIs(self.doubt(Signature.decode, self.value[:size]), Doubt.MALFORMED)
        long = self.value + bytes(MOST_CERTIFICATE)
        self.assertEqual(Signature.decode(long).certificate, bytes(MOST_CERTIFICATE))
        self.assertIs(self.doubt(Signature.decode, long + b"\0"), Doubt.MALFORMED)

    def test_other_key(self):
        """Another key's signature isn't this one's, whatever it calls itself."""
        other = signer(2)
        self.assertIs(
            self.doubt(self.whole, other.sign(STATEMENT, 300), STATEMENT), Doubt.FORGED
        )
        named = self.value[:28] + other.sign(STATEMENT, 300)[28:]
        self.assertIs(self.doubt(self.whole, named, STATEMENT), Doubt.FORGED)

    def test_other_name(self):
        """Nor is it believed of a key that calls itself another's."""
        head = signature.head(signer(2).public, NOW, NOW + 300)
        made = Signature(head, key().sign(signature.covered(head, STATEMENT)))
        self.assertIs(self.doubt(made.check, self.signer.public, STATEMENT), Doubt.FORGED)

    def test_context(self):
        """What the key has signed for another purpose is no signature."""
        head = self.value[:28]
        bare = head + key().sign(head + STATEMENT)
        self.assertIs(self.doubt(self.whole, bare, STATEMENT), Doubt.FORGED)

    def test_remembered(self):
        """What was verified is remembered, the bad as bad, within a bound."""
        self.patch(signature, "REMEMBERED", 4)
        signature._verified.clear()
        for round_ in range(2):
            for at in range(10):
                statement = bytes([at])
                good = Signature.decode(self.signer.sign(statement, 300))
                good.check(self.signer.public, statement)
                self.assertIs(self.doubt(good.check, self.signer.public, b"no"), Doubt.FORGED)
                self.assertLessEqual(len(signature._verified), 4, round_)


class Time(Case):
    """When it holds."""

    def test_bounds(self):
        """From when it was made until it ends, and as long as clocks may differ."""
        found = Signature.decode(self.value)
        for good in (NOW - SKEW, NOW, NOW + 300, NOW + 300 + SKEW - 0.01):
            found.check_time(good)
        for bad in (NOW - SKEW - 0.01, NOW + 300 + SKEW, NOW + 1e6, 0.0):
            self.assertIs(self.doubt(found.check_time, bad), Doubt.EXPIRED)

    def test_lives(self):
        """It holds as long as the registration, and not much longer than until the next one."""
        for life, lasts in ((15, 15), (300, 300), (LIFE, LIFE), (2**31, LIFE), (-1, LIFE)):
            begin, end = Signature.decode(self.signer.sign(STATEMENT, life)).times
            self.assertEqual((begin, end), (NOW, NOW + lasts))

    def test_too_long(self):
        """One that holds for ever isn't believed, nor one that ends before it begins."""
        for end in (NOW + MOST_LIFE + 1, NOW, NOW - 1):
            head = signature.head(self.signer.public, NOW, end)
            made = Signature(head, key().sign(signature.covered(head, STATEMENT)))
            made.check(self.signer.public, STATEMENT)
            self.assertIs(self.doubt(made.check_time, NOW), Doubt.EXPIRED)


class Keys(SynchronousTestCase):
    """The key of an element."""

    def test_secret(self):
        """It stands in no representation."""
        self.assertNotIn("01010101", repr(signer()))
        self.assertNotIn("_key", repr(signer()))

    def test_no_key(self):
        """What is no key is told by its file, and nothing of it."""
        path = self.mktemp()
        Path(path).write_text("a secret")
        Path(path).chmod(0o600)
        with self.assertRaisesRegex(ValueError, "isn't PEM") as caught:
            Signer.from_files(path)
        self.assertIn(path, str(caught.exception))
        self.assertNotIn("a secret", str(caught.exception))

    def test_long_certificate(self):
        """One that no registrar would take is told at once."""
        with self.assertRaisesRegex(ValueError, "fewer names"):
            signer(certificate=bytes(MOST_CERTIFICATE + 1))
