"""Evidence and credentials."""

from datetime import UTC, datetime

from cryptography import x509
from twisted.cred.checkers import ICredentialsChecker
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.certificate import make
from rserpool.security.credentials import (
    AnonymousChecker,
    AnonymousTLS,
    Evidence,
    IAnonymousTLS,
    IProvenCertificate,
    IProvenKey,
    ProvenCertificate,
    ProvenKey,
    credentials_of,
)
from rserpool.security.decisions import Proof


def certificate() -> x509.Certificate:
    """Return some certificate."""
    return x509.load_pem_x509_certificate(make.authority("some").certificate)


class Credentials(SynchronousTestCase):
    """What a checker is given."""

    def test_interfaces(self) -> None:
        """Each kind of credentials provides its interface."""
        verifyObject(IProvenKey, ProvenKey("pe-1", "192.0.2.1"))
        verifyObject(IProvenCertificate, ProvenCertificate(certificate(), "192.0.2.1"))
        verifyObject(IAnonymousTLS, AnonymousTLS("192.0.2.1"))
        verifyObject(ICredentialsChecker, AnonymousChecker())

    def test_of_key(self) -> None:
        """A proven key becomes credentials with its identity and the secret's fingerprint."""
        evidence = Evidence(Proof.PSK, "pe-1", address="192.0.2.1", fingerprint=b"f")
        self.assertEqual(credentials_of(evidence), ProvenKey("pe-1", "192.0.2.1", b"f"))

    def test_of_certificate(self) -> None:
        """A proven certificate becomes credentials; another address may be given."""
        shown = certificate()
        evidence = Evidence(Proof.CERTIFICATE, "dns:a", shown)
        self.assertEqual(
            credentials_of(evidence, "192.0.2.7"), ProvenCertificate(shown, "192.0.2.7")
        )

    def test_of_nothing(self) -> None:
        """Evidence that proves nothing, or lacks its certificate, is anonymous."""
        for evidence in (Evidence(Proof.ANONYMOUS), Evidence(Proof.CERTIFICATE)):
            self.assertEqual(credentials_of(evidence, "192.0.2.1"), AnonymousTLS("192.0.2.1"))

    def test_fingerprint_is_not_shown(self) -> None:
        """What tells secrets apart doesn't get into logs."""
        self.assertNotIn("finger", repr(ProvenKey("pe-1", "192.0.2.1", b"finger")))
        self.assertNotIn("finger", repr(Evidence(Proof.PSK, "pe-1", fingerprint=b"finger")))

    def test_anonymous(self) -> None:
        """The anonymous subject has proven nothing and is budgeted by its address."""
        subject = AnonymousChecker().requestAvatarId(AnonymousTLS("192.0.2.1"))
        self.assertEqual((subject.name, subject.proof), ("anonymous", Proof.ANONYMOUS))
        self.assertEqual(subject.key, "address:192.0.2.1")
        self.assertFalse(subject.proven)

    def test_certificate_is_now(self) -> None:
        """A certificate that was just made is valid already."""
        self.assertLess(certificate().not_valid_before_utc, datetime.now(UTC))
