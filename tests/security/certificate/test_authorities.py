"""Files of authorities."""

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import authorities, make
from rserpool.security.certificate.name import SOON

ONE, TWO = make.authority("One"), make.authority("Two")
LEAF = x509.load_pem_x509_certificate(make.issue(ONE, ["a.example"]).certificate)


class Read(SynchronousTestCase):
    """Reading them."""

    def test_bundle(self) -> None:
        """A file may hold several, with text between."""
        pem = b"# ours\n" + ONE.certificate + b"\nand\n" + TWO.certificate
        read = authorities.parse(pem, "ca.pem")
        self.assertEqual(len(read.certificates), 2)
        self.assertEqual(read.pem, pem)

    def test_refused(self) -> None:
        """Nothing, garbage, and certificates of no authority are refused with the file."""
        leaf = make.issue(ONE, ["a.example"]).certificate
        for pem in (b"", b"garbage", ONE.certificate[:-40], ONE.certificate + leaf):
            error = self.assertRaises(ValueError, authorities.parse, pem, "ca.pem")
            self.assertIn("ca.pem", str(error))

    def test_expired(self) -> None:
        """An authority whose time is over is warned of, and a month before."""
        read = authorities.parse(ONE.certificate, "ca.pem")
        end = read.certificates[0].not_valid_after_utc.timestamp()
        self.assertEqual(read.warnings(end - SOON), ())
        self.assertIn("valid until", read.warnings(end - SOON + 1)[0])
        self.assertIn("expired", read.warnings(end)[0])

    def test_chain(self) -> None:
        """A chain rests on those of its authorities that are in the file, if any."""
        read = authorities.parse(ONE.certificate + TWO.certificate, "ca.pem")
        alone = authorities.parse(ONE.certificate, "ca.pem")
        other = authorities.parse(TWO.certificate, "ca.pem")
        chain = read.chain_of(LEAF)
        self.assertEqual(chain, (LEAF, alone.certificates[0]))
        self.assertEqual(read.beneath(chain), alone.fingerprints)
        self.assertEqual(other.beneath(chain), frozenset())
        self.assertEqual(other.chain_of(LEAF), (LEAF,))

    def test_same_name(self) -> None:
        """An authority of the same name with another key is another authority."""
        twin = authorities.parse(make.authority("One").certificate + ONE.certificate, "ca.pem")
        alone = authorities.parse(ONE.certificate, "ca.pem")
        self.assertEqual(twin.chain_of(LEAF), (LEAF, alone.certificates[0]))
