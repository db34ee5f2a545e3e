"""
``certificate:CA-FILE``: elements are believed by certificates of a site's authority.

Note [The path]

A certificate is sent with each registration, alone: an authority of the file must have signed
it itself.  That path of two is checked here, and not by OpenSSL, since whoever tells of an
element chooses the certificate: what OpenSSL finds wrong stays in its queue of errors, and the
TLS connections of the same thread would take it for theirs.  What isn't understood is refused:
extensions that are critical, and an authority that limits what is beneath it.
"""

from collections.abc import Sequence

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from rserpool.security.certificate import files
from rserpool.security.certificate.name import pools, principal, valid_from, valid_until, when
from rserpool.security.certificate.revocation import Link, links
from rserpool.security.decisions import Restrictions
from rserpool.security.signing.entitled import Entitled
from rserpool.security.signing.signature import REMEMBERED, Doubt, Signature, Untrusted

#: What cryptography raises about a certificate of somebody who wants it to.
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    KeyError,  # an unknown kind of string in a name, with cryptography 46
)
#: Critical extensions whose meaning is heeded here (RFC 5280 section 4.2).
_UNDERSTOOD = frozenset({
    ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.EXTENDED_KEY_USAGE,
})  # fmt: skip


class Authorized:
    """
    Keys with a certificate of an authority that names the pools they may sign for.

    A certificate that names none signs nothing: a registrar has one of the same authority.

    :param text: ``CA-FILE``, or ``CA-FILE;crl=FILE`` with revocation lists.
    :raise ValueError: (or OSError) the files can't be used.
    """

    def __init__(self, text: str) -> None:
        path, crls = files.split(text)
        self._name = path
        self._trust = files.read(path, crls)
        self._paths: dict[bytes, _Path] = {}

    def find(self, signature: Signature, now: float) -> Entitled:
        """Return whose key it is."""
        if not signature.certificate:
            raise Untrusted(Doubt.STRANGER, "there is no certificate beside it")
        path = self._path(signature.certificate)
        why = path.objection(now) or self._trust.revocations.objection(path.links, now)
        if why:
            raise Untrusted(Doubt.STRANGER, f"its certificate isn't believed: {why}")
        return path.entitled

    def _path(self, der: bytes) -> "_Path":
        """What doesn't change with time; remembered, since answers bring it again and again."""
        path = self._paths.get(der)
        if path is None:
            try:
                path = self._read(x509.load_der_x509_certificate(der))
            except _UNREADABLE:
                raise Untrusted(Doubt.MALFORMED, "its certificate can't be read") from None
            if len(self._paths) >= REMEMBERED:
                self._paths.clear()
            self._paths[der] = path
        return path

    def _read(self, certificate: x509.Certificate) -> "_Path":
        chain = self._trust.authorities.chain_of(certificate)
        why = _objection(chain)
        if len(chain) < 2:
            why = f"no authority in {self._name} has signed it"
        if why:
            raise Untrusted(Doubt.STRANGER, f"its certificate isn't believed: {why}")
        key, name, handles = (
            certificate.public_key(),
            principal(certificate),
            pools(certificate),
        )
        usage = _usage(certificate)
        if not isinstance(key, Ed25519PublicKey):
            raise Untrusted(Doubt.MALFORMED, "its certificate is for another kind of key")
        if name is None or not handles or not (usage is None or usage.digital_signature):
            raise Untrusted(Doubt.UNENTITLED, "its certificate is for no pool")
        public = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _Path(
            max(map(valid_from, chain)),
            min(map(valid_until, chain)),
            links(chain),
            Entitled(name, public, Restrictions(pools=handles)),
        )


@attrs.frozen
class _Path:
    """
    A certificate and the authority that has signed it.

    :ivar begin, end: when both are valid, in seconds since the epoch.
    """

    begin: float
    end: float
    links: tuple[Link, ...]
    entitled: Entitled

    def objection(self, now: float) -> str:
        """Why it isn't good now; empty: it is."""
        if self.begin <= now < self.end:
            return ""
        return f"it is valid from {when(self.begin)} to {when(self.end)} only"


def _objection(chain: Sequence[x509.Certificate]) -> str:
    """What is in a path that isn't understood, or may not be; empty: nothing."""
    for each in chain:
        strange = _not_understood(each)
        if strange:
            return f"{each.subject.rfc4514_string()!r} has the critical extension {strange}"
    usage = _usage(chain[-1])
    if len(chain) > 1 and usage is not None and not usage.key_cert_sign:
        return "the authority's key is for other signatures"
    return ""


def _not_understood(certificate: x509.Certificate) -> str:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            return str(extension.oid.dotted_string)
    return ""


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
