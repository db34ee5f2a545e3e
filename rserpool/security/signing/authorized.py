"""
``certificate:CA-FILE``: elements are believed by certificates of a site's authority.

Note [The path]

A certificate is sent with each registration, alone: an authority of the file must have signed
it itself.  That path of two is checked here, and not by OpenSSL, since whoever tells of an
element chooses the certificate: what OpenSSL finds wrong stays in its queue of errors, and the
TLS connections of the same thread would take it for theirs.  What isn't understood is refused:
extensions that are critical, and an authority that limits what is beneath it.
"""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from rserpool.security.certificate import files
from rserpool.security.certificate.name import pools, principal, valid_from, valid_until, when
from rserpool.security.certificate.revocation import links
from rserpool.security.decisions import Restrictions
from rserpool.security.signing.entitled import Entitled
from rserpool.security.signing.signature import Doubt, Signature, Untrusted

#: What cryptography raises about a certificate of somebody who wants it to.
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
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
        self._path = path
        self._trust = files.read(path, crls)

    def find(self, signature: Signature, now: float) -> Entitled:
        """Return whose key it is."""
        if not signature.certificate:
            raise Untrusted(Doubt.STRANGER, "there is no certificate beside it")
        try:
            certificate = x509.load_der_x509_certificate(signature.certificate)
            key = certificate.public_key()
            name, handles = principal(certificate), pools(certificate)
            why = self._objection(certificate, now)
            signs = _may_sign(certificate)
        except _UNREADABLE:
            raise Untrusted(Doubt.MALFORMED, "its certificate can't be read") from None
        if why:
            raise Untrusted(Doubt.STRANGER, f"its certificate isn't believed: {why}")
        if not isinstance(key, Ed25519PublicKey):
            raise Untrusted(Doubt.MALFORMED, "its certificate is for another kind of key")
        if name is None or not handles or not signs:
            raise Untrusted(Doubt.UNENTITLED, "its certificate is for no pool")
        public = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return Entitled(name, public, Restrictions(pools=handles))

    def _objection(self, certificate: x509.Certificate, now: float) -> str:
        """Why the path to it isn't good, see Note [The path]; empty: it is."""
        chain = self._trust.authorities.chain_of(certificate)
        if len(chain) < 2:
            return f"no authority in {self._path} has signed it"
        for each in chain:
            if not valid_from(each) <= now < valid_until(each):
                return (
                    f"{each.subject.rfc4514_string()!r} is valid from {when(valid_from(each))} "
                    f"to {when(valid_until(each))} only"
                )
            strange = _not_understood(each)
            if strange:
                return f"{each.subject.rfc4514_string()!r} has the critical extension {strange}"
        usage = _usage(chain[1])
        if usage is not None and not usage.key_cert_sign:
            return "the authority's key is for other signatures"
        return self._trust.revocations.objection(links(chain), now)


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


def _may_sign(certificate: x509.Certificate) -> bool:
    usage = _usage(certificate)
    return usage is None or usage.digital_signature
