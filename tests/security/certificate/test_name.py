"""Names in certificates."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate.name import ascii_host, hosts, names, principal, when


def certificate(
    *alternatives: x509.GeneralName, common: str = "common.example"
) -> x509.Certificate:
    """Return a certificate with these alternative names and a common name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
    return builder.sign(key, hashes.SHA256())


class Principal(SynchronousTestCase):
    """Whom a client certificate proves."""

    def test_dns(self) -> None:
        """The first DNS name, in lower case, whatever stands before it."""
        shown = certificate(
            x509.UniformResourceIdentifier("spiffe://example/a"),
            x509.DNSName("PU-1.example"),
            x509.DNSName("pu-2.example"),
        )
        self.assertEqual(principal(shown), "dns:pu-1.example")

    def test_uri(self) -> None:
        """The first URI where there is no DNS name."""
        shown = certificate(
            x509.UniformResourceIdentifier("spiffe://example/Pe"),
            x509.UniformResourceIdentifier("urn:x:y"),
        )
        self.assertEqual(principal(shown), "uri:spiffe://example/Pe")

    def test_nobody(self) -> None:
        """A common name, an e-mail address or an IP address is nobody."""
        from ipaddress import ip_address

        for alternatives in (
            (),
            (x509.RFC822Name("a@example"),),
            (x509.IPAddress(ip_address("192.0.2.1")),),
        ):
            self.assertIsNone(principal(certificate(*alternatives)))

    def test_unusable(self) -> None:
        """A wildcard, a name with blanks or control characters, a very long one: nobody."""
        for name in ("*.example", "a b", "a\nb", "", "x" * 300):
            self.assertIsNone(principal(certificate(x509.DNSName(name))), name)
            shown = certificate(x509.UniformResourceIdentifier(f"spiffe://{name}*"))
            self.assertIsNone(principal(shown), name)


class ForPeople(SynchronousTestCase):
    """What people are shown."""

    def test_names(self) -> None:
        """Hosts are DNS names and addresses; all names have the URIs, too."""
        from ipaddress import ip_address

        shown = certificate(
            x509.DNSName("a.example"),
            x509.IPAddress(ip_address("2001:db8::1")),
            x509.UniformResourceIdentifier("urn:x"),
        )
        self.assertEqual(hosts(shown), ["a.example", "2001:db8::1"])
        self.assertEqual(names(shown), ["a.example", "2001:db8::1", "urn:x"])
        self.assertEqual(names(certificate()), [])

    def test_when(self) -> None:
        """A time is given to the minute, in UTC."""
        self.assertEqual(when(86_400), "1970-01-02 00:00 UTC")
        self.assertEqual(when(253_402_300_800), "9999-12-31 23:59 UTC")
        self.assertEqual(when(-1e12)[-9:], "00:00 UTC")


class Hosts(SynchronousTestCase):
    """Host names as people write them."""

    def test_good(self) -> None:
        """Letters become small ASCII ones; underscores, which some hosts have, may stay."""
        for name, text in (
            ("Registrar.Example.", "registrar.example"),
            ("localhost", "localhost"),
            ("my_host-1.example", "my_host-1.example"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("日本。example", "xn--wgv71a.example"),
        ):
            self.assertEqual(ascii_host(name), text)

    def test_bad(self) -> None:
        """What is no host name is refused."""
        for name in ("", ".", "a..b", "a b", "a\n", "-a.b", "a/b", "*.a", "x" * 64, "ü" * 90):
            self.assertRaises(ValueError, ascii_host, name)
        self.assertRaises(ValueError, ascii_host, ".".join(["x" * 50] * 6))
