"""Making revocation lists."""

from datetime import UTC, datetime

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import make, revoking
from rserpool.security.certificate.revoking import Revoked
from tests.security.certificate.hierarchy import certificate, crl

ONE, TWO = make.authority("One"), make.authority("Two")
SINCE = datetime(2027, 1, 31, 12, tzinfo=UTC)


class Making(SynchronousTestCase):
    """What is made can be read, by us and by RFC 5280."""

    def test_round_trip(self) -> None:
        """A list that was made and is read again has the same entries and its number."""
        entries = (Revoked(5, SINCE, "key-compromise"), Revoked(7, SINCE))
        pem = revoking.make_list(ONE, entries, number=4)
        self.assertEqual(revoking.revoked(pem, ONE, "crl.pem"), (entries, 4))
        found = x509.load_pem_x509_crl(pem)
        self.assertTrue(found.is_signature_valid(certificate(ONE).public_key()))
        self.assertEqual(
            [len(entry.extensions) for entry in found], [1, 0], "unspecified SHOULD be absent"
        )

    def test_every_reason(self) -> None:
        """Each reason that can be given comes back."""
        entries = tuple(Revoked(n, SINCE, r) for n, r in enumerate(revoking.REASONS, 1))
        pem = revoking.make_list(ONE, entries, number=1)
        self.assertEqual(revoking.revoked(pem, ONE, "x")[0], entries)

    def test_others(self) -> None:
        """Another authority's list isn't gone on with, nor a file with two."""
        self.assertRaises(ValueError, revoking.revoked, crl(TWO), ONE, "crl.pem")
        self.assertRaises(ValueError, revoking.revoked, crl(ONE) + crl(ONE), ONE, "crl.pem")
        self.assertRaises(ValueError, revoking.revoked, b"", ONE, "crl.pem")

    def test_never_outlives(self) -> None:
        """A list ends with its authority; of one that has ended there is none."""
        brief = make.authority("Brief", days=3)
        found = x509.load_pem_x509_crl(revoking.make_list(brief, (), number=1, days=30))
        self.assertEqual(found.next_update_utc, certificate(brief).not_valid_after_utc)
        gone = make.authority("Gone", days=-1)
        self.assertRaisesRegex(ValueError, "has ended", revoking.make_list, gone, (), number=1)

    def test_serial_of(self) -> None:
        """Only a certificate that the authority has issued has a serial for its list."""
        issued = make.issue(ONE, ["pe.example"], client=True)
        serial = certificate(issued).serial_number
        self.assertEqual(revoking.serial_of(issued.certificate, ONE), serial)
        self.assertRaisesRegex(
            ValueError, "CN=Two", revoking.serial_of, issued.certificate, TWO
        )
        self.assertRaises(ValueError, revoking.serial_of, b"nothing", ONE)

    def test_parse_serial(self) -> None:
        """Serials are hexadecimal, as they are shown: with 0x, with colons, or bare."""
        for text in ("0x1f", "1f", "1F", "00:1f"):
            self.assertEqual(revoking.parse_serial(text), 31)
        for text in ("", "xyz", "0", "-1", "f" * 41):
            self.assertRaises(ValueError, revoking.parse_serial, text)
