"""``--auth certificate:CA-FILE``."""

from cryptography import x509
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.certificate import make
from rserpool.security.certificate.authentication import Certificates
from rserpool.security.certificate.name import valid_from, valid_until
from rserpool.security.credentials import ProvenCertificate
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication

ONE, TWO = make.authority("One"), make.authority("Two")


def client(ca: make.Issued, *names: str) -> x509.Certificate:
    """Return a client's certificate."""
    return x509.load_pem_x509_certificate(make.issue(ca, names, client=True).certificate)


class Authentication(SynchronousTestCase):
    """A file with two authorities."""

    def setUp(self) -> None:
        """Read it, at a time at which the certificates are valid."""
        self.path = self.mktemp()
        self.shown = client(ONE, "pu.example")
        self.now = valid_from(self.shown) + 60
        self.write(ONE.certificate + TWO.certificate)
        self.certificates = Certificates(self.path, lambda: self.now)

    def write(self, pem: bytes) -> None:
        """Write the file."""
        with open(self.path, "wb") as file:
            file.write(pem)

    def subject(self, shown: x509.Certificate | None = None) -> Subject:
        """Let somebody in."""
        return self.certificates.checker.requestAvatarId(
            ProvenCertificate(shown or self.shown, "192.0.2.1")
        )

    def test_interfaces(self) -> None:
        """It is an authentication and its own checker."""
        verifyObject(IAuthentication, self.certificates)
        verifyObject(ICredentialsChecker, self.certificates.checker)
        self.assertIsNone(self.certificates.keys)
        self.assertEqual(self.certificates.authorities, ONE.certificate + TWO.certificate)

    def test_subject(self) -> None:
        """The principal is the kind and the name of the alternative name."""
        subject = self.subject()
        self.assertEqual((subject.name, subject.proof), ("dns:pu.example", Proof.CERTIFICATE))
        self.assertEqual(subject.valid_until, valid_until(self.shown))
        self.assertEqual(self.subject(client(ONE, "urn:a:b")).name, "uri:urn:a:b")

    def test_nobody(self) -> None:
        """A certificate that names nobody lets nobody in."""
        self.assertRaises(UnauthorizedLogin, self.subject, client(ONE, "192.0.2.1"))

    def test_time(self) -> None:
        """Before its time and after it a certificate lets nobody in."""
        for now in (valid_from(self.shown) - 1, valid_until(self.shown)):
            self.now = now
            self.assertRaises(UnauthorizedLogin, self.subject)

    def test_holds(self) -> None:
        """A session holds while its authority is there and its certificate valid."""
        subject = self.subject()
        self.write(ONE.certificate)
        self.certificates.reload()
        self.assertTrue(self.certificates.holds(subject))
        self.now = valid_until(self.shown)
        self.assertFalse(self.certificates.holds(subject))

    def test_authority_gone(self) -> None:
        """A session ends with its authority, and no other one does."""
        one, two = self.subject(), self.subject(client(TWO, "pu.example"))
        self.write(TWO.certificate)
        self.certificates.reload()
        self.assertFalse(self.certificates.holds(one))
        self.assertTrue(self.certificates.holds(two))

    def test_authority_replaced(self) -> None:
        """An authority of the same name with a new key isn't the old one."""
        subject = self.subject()
        self.write(make.authority("One").certificate)
        self.certificates.reload()
        self.assertFalse(self.certificates.holds(subject))

    def test_stranger(self) -> None:
        """A subject that came in some other way isn't held."""
        stranger = Subject("dns:pu.example", Proof.CERTIFICATE, "192.0.2.1")
        self.assertFalse(self.certificates.holds(stranger))

    def test_bad_file(self) -> None:
        """A bad file stops the start; at a reload the last good one stays."""
        subject = self.subject()
        self.write(b"")
        self.assertRaises(ValueError, Certificates, self.path)
        self.assertRaises(ValueError, self.certificates.reload)
        self.assertTrue(self.certificates.holds(subject))

    def test_warnings(self) -> None:
        """An authority whose time is over is warned of."""
        self.assertEqual(self.certificates.warnings, ())
        self.now = 1e11
        self.assertEqual(len(self.certificates.reload()), 2)
