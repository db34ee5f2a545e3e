"""Looking at certificates, authorities and lists."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.doctor import certificates
from rserpool.cli.doctor.listener import Report
from rserpool.cli.doctor.place import Place
from rserpool.security.certificate import make
from rserpool.security.certificate.name import SOON
from tests.security.certificate.hierarchy import certificate, crl

CA = make.authority("One")
DAYS = SOON / 86400


def report(host="127.0.0.1", shown=None):
    """A listener that was looked at."""
    place = Place("asap", True, "tcp:3864", host, 3864, "registrar.toml:5")
    return Report(place, certificate=shown)


class Own(SynchronousTestCase):
    """The registrar's own certificate."""

    def look(self, issued, *reports):
        """What is found about it, by its check."""
        self.path = os.path.abspath(self.mktemp())
        Path(self.path).write_bytes(issued.certificate)
        self.findings = list(certificates.look_own(self.path, "registrar.toml:9", reports))
        return [finding.check for finding in self.findings]

    def issue(self, *names, **terms):
        """Issue one."""
        return make.issue(CA, names or ["127.0.0.1"], **terms)

    def test_well(self):
        """Of one for this host's address there is nothing to tell."""
        self.assertEqual(self.look(self.issue(), report()), [])
        self.assertEqual(self.look(self.issue(*certificates._own_names([]))), [])

    def test_life(self):
        """It is over, or will be in a month."""
        self.assertEqual(self.look(self.issue(days=-1), report()), ["certificate-over"])
        self.assertEqual(self.look(self.issue(days=DAYS - 1), report()), ["certificate-ends"])
        self.assertEqual(self.look(self.issue(days=DAYS + 1), report()), [])

    def test_names(self):
        """It is for another host, or for none."""
        self.assertEqual(self.look(self.issue("x.example"), report()), ["certificate-names"])
        self.assertIn("127.0.0.1", self.findings[0].what)
        self.assertEqual(self.look(self.issue("urn:a:b"), report()), ["certificate-names"])
        self.assertEqual(self.look(self.issue("x.example"), report("x.example")), [])

    def test_purpose(self):
        """It is a client's."""
        self.assertEqual(self.look(self.issue(client=True), report()), ["certificate-purpose"])

    def test_weak(self):
        """Its key is short."""
        key = rsa.generate_private_key(65537, 1024)
        now, name = datetime.now(UTC), make._name("127.0.0.1")
        own = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(key.public_key()).serial_number(5).not_valid_before(now)
            .not_valid_after(now + timedelta(days=300))
            .add_extension(
                x509.SubjectAlternativeName([make.alternative("127.0.0.1")]), critical=False
            ).sign(key, hashes.SHA256())
        )  # fmt: skip
        issued = make.Issued(own.public_bytes(Encoding.PEM), b"")
        self.assertEqual(self.look(issued, report()), ["certificate-weak"])

    def test_other(self):
        """A listener shows another one than the file has: nobody has sent SIGHUP."""
        old, new = self.issue(), self.issue()
        self.assertEqual(self.look(new, report(shown=certificate(old))), ["certificate-other"])
        self.assertIn("SIGHUP", self.findings[0].do)
        self.assertEqual(self.look(new, report(shown=certificate(new))), [])

    def test_file(self):
        """What is no certificate, or isn't there, is said."""
        self.assertEqual(self.look(make.Issued(b"x", b"")), ["certificate"])
        [finding] = certificates.look_own("/nonexistent", "registrar.toml:9", [])
        self.assertIn("No such file", finding.what)


class Trust(SynchronousTestCase):
    """Authorities, and what they have revoked."""

    def setUp(self):
        """One authority."""
        self.ca, self.crl = os.path.abspath(self.mktemp()), os.path.abspath(self.mktemp())
        Path(self.ca).write_bytes(CA.certificate)

    def look(self, pem=None):
        """What is found, by its check."""
        text = self.ca
        if pem is not None:
            Path(self.crl).write_bytes(pem)
            text += f";crl={self.crl}"
        self.findings = list(certificates.look_trust(text, "registrar.toml:7"))
        return [finding.check for finding in self.findings]

    def test_well(self):
        """Of a good one there is nothing to tell; a good list is worth a note."""
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(crl(CA, 5)), ["crl"])
        self.assertFalse(self.findings[0].wrong)

    def test_life(self):
        """An authority, or a list, is over or will be soon."""
        self.assertEqual(self.look(crl(CA, end=-5)), ["crl-over"])
        self.assertEqual(self.look(crl(CA, end=5000)), ["crl-ends"])
        Path(self.ca).write_bytes(make.authority("Brief", days=5).certificate)
        self.assertEqual(self.look(), ["certificate-ends"])
        Path(self.ca).write_bytes(make.authority("Brief", days=-5).certificate)
        self.assertEqual(self.look(), ["certificate-over"])

    def test_missing(self):
        """One of two authorities has a list: nobody of the other gets in."""
        Path(self.ca).write_bytes(CA.certificate + make.authority("Two").certificate)
        self.assertEqual(self.look(crl(CA)), ["crl-missing", "crl"])

    def test_faults(self):
        """Lists of others, and files that aren't there."""
        self.assertEqual(self.look(crl(make.authority("Two"))), ["authorities"])
        os.unlink(self.ca)
        self.assertEqual(self.look(), ["authorities"])
        self.assertIn("No such file", self.findings[0].what)
