"""
Why a certificate was refused, in sentences for people.

OpenSSL says only "certificate verify failed".  The connections of
:mod:`rserpool.security.certificate.trust` raise :class:`CertificateRefused` in its place,
which is that error, and knows more.
"""

from collections.abc import Callable

from cryptography import x509
from OpenSSL import SSL
from service_identity import VerificationError

from rserpool.security.certificate.name import (
    hosts,
    printable,
    valid_from,
    valid_until,
    when,
    whom,
)

# From OpenSSL's x509_vfy.h: the numbers are part of its interface.
_NOT_YET_VALID, _EXPIRED, _INVALID_CA = 9, 10, 79
#: Self-signed, or its issuer (or that of one above it) isn't to be found.
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
_OTHERS = {
    3: "can't be looked up: there is no revocation list of the authority that issued it",
    8: "can't be looked up: the revocation list isn't signed by the authority that issued it",
    11: "can't be looked up: the revocation list of its authority hasn't begun yet",
    12: "can't be looked up: the revocation list of its authority is over; get a new one",
    23: "has been revoked",
    26: "is for another purpose (a client's shown by a server, or the reverse)",
    66: "has a key that is too weak",
    67: "has a key that is too weak",
    68: "has a signature that is too weak",
}
#: Names in a sentence; a certificate may have thousands.
_MANY = 5


class CertificateRefused(SSL.Error):
    """
    A certificate was refused.

    Has OpenSSL's own errors as its arguments, so that Twisted takes it for what it is.

    :ivar sentence: why, for people.
    """

    def __init__(self, errors: object, sentence: str) -> None:
        super().__init__(errors)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


def name_refused(certificate: x509.Certificate, wanted: str) -> str:
    """Say that the certificate is somebody else's."""
    found = [printable(name) for name in hosts(certificate)]
    if not found:
        return f"the certificate is for no host at all, and {wanted} was wanted"
    more = f" and {len(found) - _MANY} more" if len(found) > _MANY else ""
    return f"the certificate is for {', '.join(found[:_MANY])}{more}, not {wanted}"


def chain_refused(
    error: int, certificate: x509.Certificate | None, depth: int, trusted: str
) -> str:
    """
    Say why OpenSSL didn't believe a certificate, by its error number.

    :param certificate: the one at fault, where it is known.
    :param depth: 0 for the peer's own, else an authority's above it.
    :param trusted: what is believed: ``ca.pem``.
    """
    which = (
        "the certificate" if depth == 0 else f"the authority's certificate{_of(certificate)}"
    )
    if error == _EXPIRED:
        return f"{which} expired{_on(certificate, valid_until)}"
    if error == _NOT_YET_VALID:
        return f"{which} isn't valid yet{_on(certificate, valid_from)}"
    if error in _UNKNOWN_ISSUER:
        return f"the certificate was issued by an authority that isn't in {trusted}"
    if error == _INVALID_CA:
        return f"the certificate was issued by one who is no authority{_of(certificate)}"
    return f"{which} {_OTHERS.get(error, f'was refused (X.509 error {error})')}"


def _of(certificate: x509.Certificate | None) -> str:
    return "" if certificate is None else f" ({whom(certificate.subject)})"


def _on(
    certificate: x509.Certificate | None, moment: Callable[[x509.Certificate], float]
) -> str:
    return "" if certificate is None else f": {when(moment(certificate))}"


def explain(
    error: BaseException, wanted: str = "", shown: x509.Certificate | None = None
) -> str:
    """
    Say why a connection failed, for people.

    :param error: an exception, or a `twisted.python.failure.Failure`.
    :param wanted: the name that the certificate should have been for, if that is known.
    :param shown: the certificate, if one came that far.
    """
    value = getattr(error, "value", error)
    if isinstance(value, CertificateRefused):
        return value.sentence
    if isinstance(value, VerificationError):
        if shown is not None:
            return name_refused(shown, wanted or "the name that was wanted")
        return f"the certificate is for another name than {wanted or 'the one wanted'}"
    words = openssl_words(value)
    if "alert" in words:
        return f"the other side refused ({words})"
    return words or type(value).__name__


def openssl_words(error: object) -> str:
    """Return what OpenSSL says in an error, without the rest of its queue's entries."""
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(str(entry[-1]) for entry in error.args[0])
    return str(error or "")
