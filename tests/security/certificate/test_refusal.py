"""Sentences about refused certificates."""

from cryptography import x509
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import make
from rserpool.security.certificate.name import names
from rserpool.security.certificate.refusal import (
    _INVALID_CA,
    CertificateRefused,
    chain_refused,
    explain,
    name_refused,
)
from tests.security.certificate.test_name import certificate

CA = make.authority("CA")


def shown(*names: str) -> x509.Certificate:
    """Return a certificate for these names."""
    return x509.load_pem_x509_certificate(make.issue(CA, names).certificate)


class Sentences(SynchronousTestCase):
    """What people read."""

    def test_name(self) -> None:
        """The sentence says for whom it is, and who was wanted."""
        self.assertEqual(
            name_refused(shown("a.example", "192.0.2.1"), "b.example"),
            "the certificate is for a.example, 192.0.2.1, not b.example",
        )

    def test_many_names(self) -> None:
        """Of very many names only some are given."""
        text = name_refused(shown(*(f"h{n}.example" for n in range(200))), "b.example")
        self.assertIn("and 195 more", text)
        self.assertLess(len(text), 200)

    def test_unprintable(self) -> None:
        """What a stranger writes into a certificate moves no cursor and begins no line."""
        wild = "a\x1b[2J\n2026 forged.example" + 1000 * "x"
        text = name_refused(
            certificate(x509.DNSName(wild), x509.UniformResourceIdentifier(wild)), "b.example"
        )
        self.assertTrue(text.isprintable())
        self.assertIn(r"a\x1b[2J\n2026 forged.example", text)
        self.assertLess(len(text), 400)
        named = certificate(common="\x1b[31mred")
        self.assertTrue(chain_refused(_INVALID_CA, named, 1, "ca.pem").isprintable())
        self.assertTrue(all(map(str.isprintable, names(certificate(x509.DNSName(wild))))))

    def test_no_name(self) -> None:
        """A certificate without a host's name is for no host."""
        self.assertIn("for no host", name_refused(shown("urn:x"), "b.example"))

    def test_chain(self) -> None:
        """Each of OpenSSL's usual errors has a sentence."""
        for error, words in (
            (10, "expired: 20"),
            (9, "isn't valid yet: 20"),
            (18, "an authority that isn't in ca.pem"),
            (19, "an authority that isn't in ca.pem"),
            (20, "an authority that isn't in ca.pem"),
            (26, "for another purpose"),
            (66, "too weak"),
            (79, "no authority"),
            (12345, "X.509 error 12345"),
        ):
            self.assertIn(words, chain_refused(error, shown("a.example"), 0, "ca.pem"))
            self.assertIn("certificate", chain_refused(error, None, 0, "ca.pem"))

    def test_authority(self) -> None:
        """An authority's fault isn't said to be the certificate's."""
        text = chain_refused(10, shown("ca.example"), 1, "ca.pem")
        self.assertTrue(text.startswith("the authority's certificate (CN=ca.example) expired"))

    def test_explain(self) -> None:
        """Errors of Twisted's, of ours and of OpenSSL are explained, as failures, too."""
        alert = SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")])
        for error, words in (
            (CertificateRefused([], "because"), "because"),
            (Failure(CertificateRefused([], "because")), "because"),
            (VerificationError(errors=[]), "another name than b.example"),
            (alert, "the other side refused (tlsv1 alert unknown ca)"),
            (ValueError("so"), "so"),
            (ValueError(), "ValueError"),
        ):
            self.assertIn(words, explain(error, "b.example"))
        self.assertIn(
            "for a.example, not b",
            explain(VerificationError(errors=[]), "b", shown("a.example")),
        )
