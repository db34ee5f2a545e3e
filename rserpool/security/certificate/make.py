"""
Making certificates: an authority of one's own, registrars, clients (ECDSA P-256), and elements
that sign what they register (Ed25519).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rserpool.security.atomic import replace
from rserpool.security.certificate.name import ascii_host, pool_uri
from rserpool.security.certificate.shown import shown
from rserpool.security.private import read_private

#: How long before now a certificate begins, for clocks that are behind.
EARLIER = timedelta(hours=1)
#: What X.509 allows a common name (RFC 5280 appendix A.1); the names that count are others.
_COMMON_NAME = 64

_Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@attrs.frozen
class Issued:
    """A certificate and its private key, as PEM."""

    certificate: bytes
    private_key: bytes = attrs.field(repr=False)


def authority(name: str, days: int = 3650) -> Issued:
    """Make an authority: a self-signed certificate that may sign others."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = (
        _builder(subject, subject, key, _end(days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
    )
    return _issued(builder.sign(key, hashes.SHA256()), key)


def issue(
    issuer: Issued,
    names: Iterable[str],
    days: float = 825,
    client: bool = False,
    pools: Iterable[bytes] = (),
) -> Issued:
    """
    Make a certificate, which never outlives its authority.

    :param names: DNS names, IP addresses and URIs; the first one is also the common name.
    :param client: for a client; else for a registrar, which is its peers' client as well.
    :param pools: for an element that signs what it registers in these pools; it is a client.
    :raise ValueError: a name is none, or the authority can't be read.
    """
    alternatives = [alternative(name) for name in names]
    if not alternatives:
        raise ValueError("a certificate needs a name: a DNS name, an IP address or a URI")
    parent, parent_key = signer(issuer)
    signed = [x509.UniformResourceIdentifier(pool_uri(handle)) for handle in pools]
    key: _Key = ec.generate_private_key(ec.SECP256R1())
    if signed:
        key = ed25519.Ed25519PrivateKey.generate()
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if not client and not signed:
        purposes.insert(0, ExtendedKeyUsageOID.SERVER_AUTH)
    end = min(_end(days), parent.not_valid_after_utc)
    builder = (
        _builder(_name(str(alternatives[0].value)), parent.subject, key, end)
        .add_extension(x509.SubjectAlternativeName([*alternatives, *signed]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(parent_key.public_key()),
            critical=False,
        )
    )
    return _issued(builder.sign(parent_key, hashes.SHA256()), key)


def write(issued: Issued, certificate_path: str, private_key_path: str) -> None:
    """Write both files, each at once: the key for its owner alone, the other for all."""
    replace(private_key_path, issued.private_key, 0o600)
    replace(certificate_path, issued.certificate, 0o644)


def load(certificate_path: str, private_key_path: str) -> Issued:
    """
    Read both files.

    :raise ValueError: they aren't what they should be, don't belong together, or others can
        read the key.
    :raise OSError: one can't be read.
    """
    issued = Issued(
        Path(certificate_path).read_bytes(),
        read_private(private_key_path),
    )
    try:
        shown(issued.certificate, issued.private_key)
    except ValueError as fault:
        raise ValueError(f"{certificate_path}, {private_key_path}: {fault}") from None
    return issued


def alternative(
    name: str,
) -> x509.IPAddress | x509.UniformResourceIdentifier | x509.DNSName:
    """
    Return a name as a subject alternative name: an address, a URI, or else a DNS name.

    :raise ValueError: it is none of them.
    """
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if "://" in name or name.startswith("urn:"):
        return x509.UniformResourceIdentifier(name)
    wildcard = "*." if name.startswith("*.") else ""
    try:
        return x509.DNSName(wildcard + ascii_host(name.removeprefix(wildcard)))
    except ValueError:
        raise ValueError(
            f"{name!r} is neither a host name nor an IP address nor a URI"
        ) from None


def signer(issuer: Issued) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """
    Return what an authority signs with.

    :raise ValueError: it can't be read.
    """
    own = shown(issuer.certificate, issuer.private_key)
    if not isinstance(own.private_key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key isn't one of elliptic curves (ECDSA)")
    return own.chain[0], own.private_key


def _end(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_COMMON_NAME])])


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _Key, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), end) - EARLIER)
        .not_valid_after(end)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    )


def _issued(certificate: x509.Certificate, key: _Key) -> Issued:
    return Issued(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
