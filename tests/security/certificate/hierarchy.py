"""Authorities, those between, and lists of any kind, for tests."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rserpool.security.certificate import make
from rserpool.security.certificate.make import Issued


def certificate(issued: Issued) -> x509.Certificate:
    """Return the first certificate of it."""
    return x509.load_pem_x509_certificates(issued.certificate)[0]


def between(issuer: Issued, name: str, usage: x509.KeyUsage | None = None) -> Issued:
    """Make an authority beneath another one; its PEM is its own certificate alone."""
    parent, parent_key = make.signer(issuer)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(make._name(name))
        .issuer_name(parent.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage or make._usage(signs=True), critical=True)
    )
    return make._issued(builder.sign(parent_key, hashes.SHA256()), key)


def root(name: str = "Root") -> Issued:
    """Make an authority that may have others beneath it, unlike those of `make`."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(make._name(name))
        .issuer_name(make._name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=3000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(make._usage(signs=True), critical=True)
    )
    return make._issued(builder.sign(key, hashes.SHA256()), key)


def crl(
    issuer: Issued,
    *serials: int,
    begin: float = -3600,
    end: float = 86400 * 5,
    number: int = 1,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    of_entries: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    name: x509.Name | None = None,
) -> bytes:
    """Make a list as PEM; times are seconds from now."""
    authority, key = make.signer(issuer)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name or authority.subject)
        .last_update(now + timedelta(seconds=begin))
        .next_update(now + timedelta(seconds=end))
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        for value, critical in of_entries:
            entry = entry.add_extension(value, critical=critical)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
