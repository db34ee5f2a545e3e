"""A certificate of one's own."""

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import make
from rserpool.security.certificate.shown import shown

CA = make.authority("CA")
OWN = make.issue(CA, ["a.example"])


class Shown(SynchronousTestCase):
    """Reading, and showing."""

    def test_into(self) -> None:
        """A context shows what was read."""
        context = SSL.Context(SSL.TLS_METHOD)
        shown(OWN.certificate + CA.certificate, OWN.private_key).into(context)
        context.check_privatekey()

    def test_pem(self) -> None:
        """All of it can be written out and read again."""
        own = shown(OWN.certificate + CA.certificate, OWN.private_key)
        self.assertEqual(shown(own.pem(), own.pem()).chain, own.chain)

    def test_encrypted(self) -> None:
        """A key that needs a password is refused, because nobody is there to give it."""
        key = rsa.generate_private_key(65537, 2048)
        pem = key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
        )
        error = self.assertRaises(ValueError, shown, OWN.certificate, pem)
        self.assertIn("encrypted", str(error))

    def test_mismatch(self) -> None:
        """A key of another certificate is refused."""
        error = self.assertRaises(ValueError, shown, OWN.certificate, CA.private_key)
        self.assertIn("isn't that of the certificate", str(error))

    def test_repr(self) -> None:
        """The key isn't shown in reprs."""
        self.assertNotIn("private", repr(shown(OWN.certificate, OWN.private_key)).lower())
