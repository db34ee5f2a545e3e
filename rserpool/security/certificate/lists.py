"""
Revocation lists (CRLs, RFC 5280 section 5): read from PEM, and believed when an authority of
ours has signed them.

Note [Whole lists only]

A list that covers a part of what its issuer has issued, or changes another list, or speaks for
another issuer, would be read as "not revoked" where it says nothing.  Those are refused.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
#: Extensions that change nothing of what a list says of a certificate.
_KNOWN = frozenset({
    ExtensionOID.CRL_NUMBER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.ISSUER_ALTERNATIVE_NAME, ExtensionOID.FRESHEST_CRL,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
})  # fmt: skip
_KNOWN_OF_ENTRIES = frozenset({
    CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE
})  # fmt: skip


@attrs.frozen(eq=False)
class RevocationList:
    """
    One list of one authority.

    :ivar issuer: whose it is, by :func:`authority_id`.
    """

    path: str
    issuer: bytes = attrs.field(repr=False)
    issuer_name: str
    begin: float  # seconds since the epoch
    end: float
    number: int
    serials: frozenset[int] = attrs.field(repr=False)
    crl: x509.CertificateRevocationList = attrs.field(repr=False)


def authority_id(certificate: x509.Certificate) -> bytes:
    """What tells authorities apart: the name and the key, in whatever certificate."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(certificate.subject.public_bytes() + key).digest()


def read(path: str, authorities: Sequence[x509.Certificate]) -> tuple[RevocationList, ...]:
    """
    Read a file of lists.

    :param authorities: one of which must have signed each.
    :raise ValueError: there is none in it, or one that can't be believed.
    :raise OSError: it can't be read.
    """
    found = parse(Path(path).read_bytes(), path, authorities)
    if not found:
        raise ValueError(f"{path}: there is no revocation list (PEM, X509 CRL) in it")
    return found


def parse(
    pem: bytes, path: str, authorities: Sequence[x509.Certificate]
) -> tuple[RevocationList, ...]:
    """
    Find the lists in PEM that may hold other things as well.

    :param path: for the messages.
    :raise ValueError: all that can't be believed.
    """
    found, faults = [], []
    for crl in load(pem, path):
        try:
            found.append(_believed(crl, path, authorities))
        except ValueError as fault:
            faults.append(f"{path}: {fault}")
    if faults:
        raise ValueError("\n".join(faults))
    return tuple(found)


def load(pem: bytes, path: str) -> list[x509.CertificateRevocationList]:
    """
    Return the lists in PEM as they are, believed or not.

    :raise ValueError: one can't be read.
    """
    try:
        return [x509.load_pem_x509_crl(block) for block in _BLOCK.findall(pem)]
    except ValueError:
        raise ValueError(f"{path}: a revocation list in it can't be read") from None


def _believed(
    crl: x509.CertificateRevocationList, path: str, authorities: Sequence[x509.Certificate]
) -> RevocationList:
    name = repr(crl.issuer.rfc4514_string())
    _check_extensions(crl, name)
    if crl.next_update_utc is None:
        raise ValueError(f"the revocation list of {name} doesn't say until when it is good")
    return RevocationList(
        path=path,
        issuer=authority_id(_signer(crl, name, authorities)),
        issuer_name=name,
        begin=crl.last_update_utc.timestamp(),
        end=crl.next_update_utc.timestamp(),
        number=number(crl),
        serials=frozenset(_serials(crl, name)),
        crl=crl,
    )


def _signer(
    crl: x509.CertificateRevocationList, name: str, authorities: Sequence[x509.Certificate]
) -> x509.Certificate:
    named = [each for each in authorities if each.subject == crl.issuer]
    if not named:
        raise ValueError(
            f"the revocation list of {name} is of nobody among the authorities; add the "
            "certificate of that authority to them, or take the list away"
        )
    signers = [each for each in named if _signed(each, crl)]
    if not signers:
        raise ValueError(f"the revocation list of {name} isn't signed by it")
    for each in signers:
        if _may_sign_lists(each):
            return each
    raise ValueError(f"the certificate of {name} doesn't let it sign revocation lists")


def _signed(authority: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    try:
        return crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _may_sign_lists(authority: x509.Certificate) -> bool:
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False


def _check_extensions(crl: x509.CertificateRevocationList, name: str) -> None:
    """See Note [Whole lists only]."""
    extensions = _extensions(lambda: crl.extensions, name)
    for each in extensions:
        if each.oid == ExtensionOID.DELTA_CRL_INDICATOR:
            raise ValueError(
                f"the revocation list of {name} is a delta list, which only changes another; "
                "give the whole one"
            )
        if each.oid == ExtensionOID.ISSUING_DISTRIBUTION_POINT:
            indirect = isinstance(each.value, x509.IssuingDistributionPoint) and (
                each.value.indirect_crl
            )
            what = (
                "an indirect list, which speaks for other issuers"
                if indirect
                else "one of several (issuing distribution point)"
            )
            raise ValueError(
                f"the revocation list of {name} is {what}; give one that the authority has "
                "signed for all of its certificates"
            )
        if each.critical and each.oid not in _KNOWN:
            raise ValueError(
                f"the revocation list of {name} has the critical extension "
                f"{each.oid.dotted_string}, which isn't understood"
            )


def _serials(crl: x509.CertificateRevocationList, name: str) -> Iterable[int]:
    for entry in crl:
        for each in _extensions(lambda entry=entry: entry.extensions, name):  # type: ignore[misc]
            if each.critical and each.oid not in _KNOWN_OF_ENTRIES:
                raise ValueError(
                    f"the revocation list of {name} has an entry with the critical extension "
                    f"{each.oid.dotted_string}, which isn't understood"
                )
        yield entry.serial_number


def _extensions(get: Callable[[], x509.Extensions], name: str) -> x509.Extensions:
    try:
        return get()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise ValueError(
            f"the revocation list of {name} has extensions that can't be read"
        ) from (None)


def number(crl: x509.CertificateRevocationList) -> int:
    """Return its number; 0: it has none."""
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
