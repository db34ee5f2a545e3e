"""Whether a chain is good, by the lists there are."""

import time

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import lists, make
from rserpool.security.certificate.revocation import LIST_SOON, Revocations, links
from tests.security.certificate.hierarchy import between, certificate, crl, root

ROOT = root()
MIDDLE = between(ROOT, "Middle")
OWN = certificate(make.issue(MIDDLE, ["pe.example"], client=True))
CHAIN = (OWN, certificate(MIDDLE), certificate(ROOT))
AUTHORITIES = [certificate(ROOT), certificate(MIDDLE)]


def revocations(*pem: bytes) -> Revocations:
    """The lists in PEM."""
    return Revocations(lists.parse(b"".join(pem), "crl.pem", AUTHORITIES))


class Deciding(SynchronousTestCase):
    """RFC 5280 section 6.3: of each certificate but the one that is trusted."""

    def objection(self, *pem: bytes, chain=CHAIN, now=0.0) -> str:
        """Ask, at a time from now."""
        return revocations(*pem).objection(links(chain), time.time() + now)

    def test_none(self) -> None:
        """Where nothing is configured nothing is asked."""
        self.assertEqual(self.objection(), "")

    def test_good(self) -> None:
        """Where every issuer's list is there and none names it, a chain is good."""
        self.assertEqual(self.objection(crl(ROOT, 1), crl(MIDDLE, 2)), "")

    def test_revoked(self) -> None:
        """The peer's own certificate, or an authority's between, may be revoked."""
        why = self.objection(crl(ROOT), crl(MIDDLE, OWN.serial_number))
        self.assertEqual(
            why, f"the certificate, serial {OWN.serial_number:x}, has been revoked"
        )
        serial = certificate(MIDDLE).serial_number
        why = self.objection(crl(ROOT, serial), crl(MIDDLE))
        self.assertIn(f"authority's certificate above it, serial {serial:x}", why)

    def test_whose(self) -> None:
        """A serial in another authority's list is another certificate."""
        self.assertEqual(self.objection(crl(ROOT, OWN.serial_number), crl(MIDDLE)), "")

    def test_missing(self) -> None:
        """Once there is a list, an issuer without one isn't believed."""
        self.assertIn("no revocation list of 'CN=Middle'", self.objection(crl(ROOT)))
        self.assertIn("no revocation list of 'CN=Root'", self.objection(crl(MIDDLE)))
        direct = (CHAIN[1], CHAIN[2])
        self.assertEqual(self.objection(crl(ROOT), chain=direct), "")

    def test_over(self) -> None:
        """A list that is over, or hasn't begun, lets nobody in."""
        both = crl(ROOT), crl(MIDDLE, end=100)
        self.assertEqual(self.objection(*both, now=98), "")
        self.assertIn("ended", self.objection(*both, now=100))
        self.assertIn("begins", self.objection(crl(ROOT), crl(MIDDLE, begin=60)))

    def test_newest(self) -> None:
        """Of several lists the newest counts that has begun, by its time and its number."""
        serial = OWN.serial_number
        old, new = crl(MIDDLE, begin=-50), crl(MIDDLE, serial, begin=-20, number=2)
        coming = crl(MIDDLE, begin=100, number=3)
        for order in ((old, new, coming), (coming, new, old)):
            self.assertIn("revoked", self.objection(crl(ROOT), *order))
            self.assertEqual(self.objection(crl(ROOT), *order, now=101), "")

    def test_authority_again(self) -> None:
        """An authority with a new certificate for its old key is the same authority."""
        found = revocations(crl(ROOT, CHAIN[1].serial_number), crl(MIDDLE))
        key = make.signer(ROOT)[1]
        again = (
            x509.CertificateBuilder()
            .subject_name(CHAIN[2].subject).issuer_name(CHAIN[2].subject)
            .public_key(key.public_key()).serial_number(77)
            .not_valid_before(CHAIN[2].not_valid_before_utc)
            .not_valid_after(CHAIN[2].not_valid_after_utc)
            .sign(key, make.hashes.SHA256())
        )  # fmt: skip
        self.assertIn("revoked", found.objection(links((*CHAIN[:2], again)), time.time()))

    def test_warnings(self) -> None:
        """A list is warned of a day before it is over, and when it is; then it is a fault."""
        found = revocations(crl(ROOT, end=3 * LIST_SOON), crl(MIDDLE, end=2 * LIST_SOON))
        now = time.time()
        self.assertEqual((found.warnings(now), found.faults(now)), ((), ()))
        [warning] = found.warnings(now + LIST_SOON + 10)
        self.assertIn("'CN=Middle' ends", warning)
        self.assertEqual(found.faults(now + LIST_SOON + 10), ())
        [warning, other] = found.warnings(now + 2 * LIST_SOON + 10)
        self.assertIn("'CN=Middle' ended", warning)
        self.assertIn("'CN=Root' ends", other)
        self.assertEqual(len(found.faults(now + 2 * LIST_SOON + 10)), 1)

    def test_renewed_in_time(self) -> None:
        """A list that has a successor in force isn't warned of any more."""
        found = revocations(crl(MIDDLE, end=10, begin=-50), crl(MIDDLE, number=2, begin=-10))
        self.assertEqual(found.warnings(time.time()), ())
        self.assertEqual(len(found.changes()), 4)
