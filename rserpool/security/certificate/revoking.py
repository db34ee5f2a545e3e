"""Making revocation lists: by an authority of one's own (RFC 5280 section 5)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from rserpool.security.certificate import lists
from rserpool.security.certificate.make import EARLIER, Issued, signer
from rserpool.security.certificate.name import when

#: Why a certificate is revoked: as commands have it, and as RFC 5280 section 5.3.1 does.
REASONS = {
    "unspecified": x509.ReasonFlags.unspecified,
    "key-compromise": x509.ReasonFlags.key_compromise,
    "affiliation-changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation-of-operation": x509.ReasonFlags.cessation_of_operation,
    "privilege-withdrawn": x509.ReasonFlags.privilege_withdrawn,
}
#: Octets of a serial number (RFC 5280 section 4.1.2.2).
_SERIAL = 20


@attrs.frozen
class Revoked:
    """One entry: which certificate, since when, and why."""

    serial: int
    since: datetime
    reason: str = "unspecified"


def serial_of(certificate: bytes, issuer: Issued) -> int:
    """
    Return the serial number of the first certificate in PEM.

    :raise ValueError: there is none, or `issuer` hasn't issued it.
    """
    try:
        first, *_ = x509.load_pem_x509_certificates(certificate)
    except ValueError:
        raise ValueError("there is no certificate (PEM) in it") from None
    authority, _ = signer(issuer)
    if first == authority:
        raise ValueError("that is the authority itself: take it out of everybody's CA file")
    try:
        first.verify_directly_issued_by(authority)
    except Exception:
        raise ValueError(
            f"it wasn't issued by {authority.subject.rfc4514_string()!r}: only the authority "
            "that has issued it can revoke it"
        ) from None
    return first.serial_number


def parse_serial(text: str) -> int:
    """
    Read a serial number: hexadecimal, as certificates show it, with or without colons.

    :raise ValueError: it isn't one.
    """
    try:
        serial = int(text.replace(":", "").removeprefix("0x"), 16)
    except ValueError:
        serial = 0
    if not 0 < serial < 1 << 8 * _SERIAL:
        raise ValueError(
            f"{text!r} isn't a serial number (hexadecimal, {_SERIAL} octets at most)"
        )
    return serial


def revoked(crl: bytes, issuer: Issued, name: str) -> tuple[tuple[Revoked, ...], int]:
    """
    Return the entries of a list, and its number.

    :param name: for the messages.
    :raise ValueError: it isn't this authority's whole list.
    """
    authority, _ = signer(issuer)
    found = lists.parse(crl, name, [authority])
    if len(found) != 1:
        raise ValueError(f"{name}: there must be one revocation list in it, not {len(found)}")
    [listed] = found
    return tuple(_entry(entry) for entry in listed.crl), listed.number


def load_one(pem: bytes) -> x509.CertificateRevocationList:
    """Return a list that :func:`make_list` has made."""
    return x509.load_pem_x509_crl(pem)


def make_list(
    issuer: Issued, entries: Iterable[Revoked], *, number: int, days: float = 30
) -> bytes:
    """
    Make a list, as PEM.

    :param number: one more than the last list's.
    :param days: after so long it is over, and nobody is believed by it any more.
    :raise ValueError: the authority can't be read, or its time is over.
    """
    authority, key = signer(issuer)
    now = datetime.now(UTC)
    end = min(now + timedelta(days=days), authority.not_valid_after_utc)
    if end <= now:
        ended = when(authority.not_valid_after_utc.timestamp())
        raise ValueError(f"the authority has ended on {ended}: its lists are worth nothing")
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now - EARLIER)
        .next_update(end)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(_made(entry))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _made(entry: Revoked) -> x509.RevokedCertificate:
    made = (
        x509.RevokedCertificateBuilder()
        .serial_number(entry.serial)
        .revocation_date(entry.since)
    )
    if entry.reason != "unspecified":  # "SHOULD be absent instead" (section 5.3.1)
        made = made.add_extension(x509.CRLReason(REASONS[entry.reason]), critical=False)
    return made.build()


def _entry(entry: x509.RevokedCertificate) -> Revoked:
    return Revoked(entry.serial_number, entry.revocation_date_utc, reason_of(entry))


def reason_of(entry: x509.RevokedCertificate) -> str:
    """Return why, as commands have it."""
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return "unspecified"
    return next((name for name, one in REASONS.items() if one is flag), flag.value)
