"""``--auth certificate:CA-FILE``."""

import time
from pathlib import Path

from cryptography import x509
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.certificate import make
from rserpool.security.certificate.authentication import Certificates
from rserpool.security.certificate.name import valid_from, valid_until
from rserpool.security.certificate.trust import verifying_client
from rserpool.security.credentials import ProvenCertificate, credentials_of
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication
from rserpool.security.psk import tls
from tests.security.certificate.hierarchy import between, certificate, crl, root
from tests.security.psk.link import Link

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


class Revoking(SynchronousTestCase):
    """``certificate:CA-FILE;crl=FILE``."""

    def setUp(self) -> None:
        """Two clients of one authority."""
        self.authority, self.crl = self.mktemp(), self.mktemp()
        Path(self.authority).write_bytes(ONE.certificate)
        Path(self.crl).write_bytes(crl(ONE))
        self.now = time.time()
        self.text = f"{self.authority};crl={self.crl}"
        self.certificates = Certificates(self.text, lambda: self.now)
        self.first, self.second = client(ONE, "a.example"), client(ONE, "b.example")

    def subject(self, shown: x509.Certificate, *above: x509.Certificate) -> Subject:
        """Let somebody in."""
        chain = (shown, *(above or [x509.load_pem_x509_certificate(ONE.certificate)]))
        return self.certificates.requestAvatarId(ProvenCertificate(shown, "192.0.2.1", chain))

    def test_reload(self) -> None:
        """A certificate revoked since ends its sessions at a reload, and lets nobody in."""
        first, second = self.subject(self.first), self.subject(self.second)
        Path(self.crl).write_bytes(crl(ONE, self.first.serial_number, number=2))
        self.assertTrue(self.certificates.holds(first))
        self.certificates.reload()
        self.assertFalse(self.certificates.holds(first))
        self.assertTrue(self.certificates.holds(second))
        error = self.assertRaises(UnauthorizedLogin, self.subject, self.first)
        self.assertIn("dns:a.example: the certificate, serial", str(error))
        self.assertIn("has been revoked", str(error))

    def test_inside(self) -> None:
        """A list among the authorities counts as well."""
        both = ONE.certificate + crl(ONE, self.first.serial_number)
        Path(self.authority).write_bytes(both)
        self.certificates = Certificates(self.authority)
        self.assertRaises(UnauthorizedLogin, self.subject, self.first)
        self.subject(self.second)

    def test_over(self) -> None:
        """When a list is over, its sessions end and nobody comes in; it is warned of before."""
        subject = self.subject(self.first)
        [end] = [moment for moment in self.certificates.changes() if moment > self.now]
        self.assertEqual(self.certificates.warnings, ())
        self.now = end - 86399
        self.assertIn("ends", self.certificates.warnings[0])
        self.assertTrue(self.certificates.holds(subject))
        self.now = end
        self.assertIn("ended", self.certificates.warnings[0])
        self.assertFalse(self.certificates.holds(subject))
        error = self.assertRaises(UnauthorizedLogin, self.subject, self.first)
        self.assertIn("ended", str(error))

    def test_over_at_the_start(self) -> None:
        """A list that is over stops the start; at a reload the last good one stays."""
        subject = self.subject(self.first)
        Path(self.crl).write_bytes(crl(ONE, self.first.serial_number, end=-10))
        error = self.assertRaises(ValueError, Certificates, self.text)
        self.assertIn(self.crl, str(error))
        self.assertIn("ended", str(error))
        self.assertRaises(ValueError, self.certificates.reload)
        self.assertTrue(self.certificates.holds(subject))

    def test_uncovered(self) -> None:
        """An authority without a list, where others have one, is warned of and not believed."""
        Path(self.authority).write_bytes(ONE.certificate + TWO.certificate)
        [warning] = self.certificates.reload()
        self.assertIn("CN=Two", warning)
        two = x509.load_pem_x509_certificate(TWO.certificate)
        error = self.assertRaises(
            UnauthorizedLogin, self.subject, client(TWO, "c.example"), two
        )
        self.assertIn("no revocation list of 'CN=Two'", str(error))

    def test_another_source(self) -> None:
        """Whom another --auth believes is nobody here: its revocation can't be got round."""
        Path(self.crl).write_bytes(crl(ONE, self.first.serial_number))
        self.certificates.reload()
        path = self.mktemp()
        Path(path).write_bytes(TWO.certificate)
        one = x509.load_pem_x509_certificate(ONE.certificate)
        for chain in ((self.first, one), ()):
            error = self.assertRaises(
                UnauthorizedLogin, Certificates(path).requestAvatarId,
                ProvenCertificate(self.first, "192.0.2.1", chain),
            )  # fmt: skip
            self.assertIn("stands behind it", str(error))

    def test_wrong_words(self) -> None:
        """What isn't CA-FILE;crl=FILE is refused; a list of a stranger, too."""
        for text in (";crl=x", f"{self.authority};crl="):
            self.assertRaises(ValueError, Certificates, text)
        Path(self.crl).write_bytes(crl(TWO))
        self.assertRaisesRegex(ValueError, "CN=Two", Certificates, self.text)
        self.assertRaises(OSError, Certificates, f"{self.authority};crl=/nonexistent")


class Handshaken(SynchronousTestCase):
    """Chains as a handshake has verified them, with an authority between."""

    def setUp(self) -> None:
        """A root whose file we have, one between, and a client with both certificates."""
        self.top = root()
        self.middle = between(self.top, "Middle")
        own = make.issue(self.middle, ["pe.example"], client=True)
        self.shown = make.Issued(own.certificate + self.middle.certificate, own.private_key)
        self.path, self.registrars = self.mktemp(), self.mktemp()
        Path(self.registrars).write_bytes(ONE.certificate)

    def shake(self, *pem: bytes) -> Subject:
        """Let the client in, by a file of this content."""
        Path(self.path).write_bytes(b"".join(pem))
        self.certificates = Certificates(self.path)
        own = make.issue(ONE, ["registrar.example"])
        server = tls.ServerCreator(
            certificate=own.certificate, private_key=own.private_key,
            authorities=self.certificates.authorities,
        )  # fmt: skip
        caller = verifying_client("registrar.example", self.registrars, client=self.shown)
        proven = Link(caller, server).shake().proven
        self.assertEqual(proven.proof, Proof.CERTIFICATE)
        self.assertEqual(len(proven.chain), 3)
        return self.certificates.requestAvatarId(credentials_of(proven, "192.0.2.1"))

    def test_chain(self) -> None:
        """Without lists, whom an authority between has named is let in."""
        subject = self.shake(self.top.certificate)
        self.assertEqual(subject.name, "dns:pe.example")
        self.assertTrue(self.certificates.holds(subject))

    def test_revoked_between(self) -> None:
        """An authority between that was revoked lets nobody in, whatever it signs itself."""
        serial = certificate(self.middle).serial_number
        lists = crl(self.top, serial), crl(self.middle)
        error = self.assertRaises(
            UnauthorizedLogin, self.shake, self.top.certificate, self.middle.certificate, *lists
        )
        self.assertIn("authority's certificate above it", str(error))
        self.shake(self.top.certificate, self.middle.certificate, crl(self.top), lists[1])

    def test_not_known_between(self) -> None:
        """With a list of the root alone, nothing is known of what one between has revoked."""
        error = self.assertRaises(
            UnauthorizedLogin, self.shake, self.top.certificate, crl(self.top)
        )
        self.assertIn("no revocation list of 'CN=Middle'", str(error))

    def test_end_of_chain(self) -> None:
        """A session ends with the first of its chain to end."""
        subject = self.shake(self.top.certificate)
        self.assertEqual(subject.valid_until, valid_until(certificate(self.middle)))

    def test_root_gone(self) -> None:
        """A session ends when the root is taken out, though one between stays in the file."""
        subject = self.shake(self.top.certificate, self.middle.certificate)
        Path(self.path).write_bytes(self.middle.certificate)
        self.certificates.reload()
        self.assertFalse(self.certificates.holds(subject))
