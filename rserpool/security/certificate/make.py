"""Making certificates: an authority of one's own, registrars, clients."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: How long before now a certificate begins, for clocks that are behind.
_EARLIER = timedelta(hours=1)


@attrs.frozen
class Issued:
    """A certificate and its private key, as PEM."""

    certificate: bytes
    private_key: bytes = attrs.field(repr=False)


def authority(name: str, days: int = 3650) -> Issued:
    """Make an authority (a self-signed certificate that may sign others)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        _builder(subject, subject, key, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return _issued(builder.sign(key, hashes.SHA256()), key)


def issue(
    issuer: Issued, names: Iterable[str], days: int = 825, client: bool = False
) -> Issued:
    """
    Make a certificate.

    :param names: DNS names, IP addresses and URIs; the first one is also the common name.
    :param client: for a client; else for a registrar.
    """
    names = list(names)
    key = ec.generate_private_key(ec.SECP256R1())
    parent = x509.load_pem_x509_certificate(issuer.certificate)
    parent_key = serialization.load_pem_private_key(issuer.private_key, None)
    assert isinstance(parent_key, ec.EllipticCurvePrivateKey)
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    builder = (
        _builder(_name(names[0]), parent.subject, key, days)
        .add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(parent_key.public_key()),
            critical=False,
        )
    )
    return _issued(builder.sign(parent_key, hashes.SHA256()), key)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if "://" in name or name.startswith("urn:"):
        return x509.UniformResourceIdentifier(name)
    return x509.DNSName(name.encode("idna").decode())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    )


def _issued(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    return Issued(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
