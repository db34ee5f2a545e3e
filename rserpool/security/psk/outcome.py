"""
How a handshake ended when it failed: what the log and the counters get, and the peer doesn't.

OpenSSL's words differ by version ("sslv3 alert bad record mac", "ssl/tls alert bad record
mac"), so they are looked at for a few fragments only.
"""

from enum import Enum
from traceback import clear_frames

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from rserpool.security.certificate.refusal import CertificateRefused, openssl_words
from rserpool.security.psk.handshake import ClientHandshake, ServerHandshake


class Reason(Enum):
    """Why a handshake failed, as far as this side can tell."""

    UNKNOWN_IDENTITY = "unknown identity"
    WRONG_KEY = "wrong key"
    STALE = "not of this handshake"
    LOOKUP_FAILED = "the key store failed"
    UNTRUSTED = "untrusted certificate"
    INCOMPATIBLE = "nothing in common"  # versions, suites, or a kind of proof
    REFUSED = "the peer refused us"
    LEFT = "the peer left"
    OTHER = "other"


#: What our own side says when a key doesn't fit: TLS 1.3, TLS 1.2, GnuTLS's sister cases.
_KEY = ("binder", "bad record mac", "psk identity not found", "bad psk", "digest check failed")
_NOTHING_IN_COMMON = (
    "no shared cipher",
    "no suitable signature algorithm",
    "unsupported protocol",
    "no suitable key share",
    "no protocols available",
    "no suitable groups",
    "no certificate set",
    "version too low",
    "wrong version number",
)
#: What OpenSSL 4 and 3 make of a first record that is none.
_NO_TLS = ("wrong version number", "packet length too long")
_GONE = (ConnectionDone, ConnectionLost, ConnectionAborted)


def no_tls(words: str) -> bool:
    """Whether a handshake failed, with these words, because the peer speaks no TLS at all."""
    return any(each in words for each in _NO_TLS)


def handshake_failure(
    connection: object, error: BaseException | None
) -> tuple[Reason, str | None, str]:
    """
    Return why a handshake failed, the identity that was named, and a text for the log.

    :param connection: ``transport.getHandle()``, valid in ``connectionLost``, too.
    :param error: the value of the failure that `connectionLost` was given.
    """
    handshake = getattr(connection, "handshake", None)
    words = openssl_words(error)
    if isinstance(error, CertificateRefused):
        return Reason.UNTRUSTED, None, error.sentence
    if isinstance(handshake, ServerHandshake):
        version = getattr(connection, "get_protocol_version_name", str)()
        return _at_server(handshake, error, words, version)
    if isinstance(handshake, ClientHandshake):
        return _at_client(handshake, error, words)
    return _elsewhere(error, words), None, words


def _at_server(
    handshake: ServerHandshake, error: BaseException | None, words: str, version: str
) -> tuple[Reason, str | None, str]:
    identity = handshake.identity
    if handshake.refused:
        return Reason.UNTRUSTED, None, f"the client's certificate: {handshake.refused}"
    reason = _elsewhere(error, words)
    if handshake.failed and reason is not Reason.LEFT:
        return (
            Reason.LOOKUP_FAILED,
            identity,
            f"looking up {identity!r} failed: {handshake.failed}",
        )
    if identity is not None and reason in (Reason.OTHER, Reason.INCOMPATIBLE):
        if not handshake.known:
            return Reason.UNKNOWN_IDENTITY, identity, f"no key of {identity!r} is in force"
        if _says(words, _KEY):
            return _misfit(identity, version, words)
    if reason is Reason.INCOMPATIBLE and handshake.foreign:
        words = f"{words} (what it named can't be an identity of ours)"
    return reason, identity, words


def _misfit(identity: str, version: str, words: str) -> tuple[Reason, str | None, str]:
    """
    What came doesn't fit the key of this identity.

    In TLS 1.3 the key is proven by the hello's binder, before anything else; so what fails
    behind it was changed on its way, or is of a handshake that was recorded (RFC 5355 section
    2.8).  TLS 1.2 doesn't tell one from the other.
    """
    if version == "TLSv1.3" and "bad record mac" in words:
        said = f"the hello is {identity!r}'s, and what follows isn't: changed, or replayed"
        return Reason.STALE, identity, said
    return Reason.WRONG_KEY, identity, f"{identity!r} has another key than ours"


def _at_client(
    handshake: ClientHandshake, error: BaseException | None, words: str
) -> tuple[Reason, str | None, str]:
    identity = handshake.identity.decode("utf-8")
    reason = _elsewhere(error, words)
    if reason is Reason.UNTRUSTED:
        words = "the server doesn't use the key, but shows a certificate; it may be another"
    elif reason is Reason.REFUSED:
        words = (
            f"the server refused identity {identity!r}: it doesn't know it, or has another "
            f"key for it ({words})"
        )
    elif _says(words, _KEY):
        reason, words = Reason.WRONG_KEY, f"the server has another key for {identity!r}"
    return reason, identity, words


def _elsewhere(error: BaseException | None, words: str) -> Reason:
    if isinstance(error, _GONE) or error is None:
        return Reason.LEFT
    if not isinstance(error, SSL.Error):
        return Reason.OTHER
    if "verify failed" in words:
        return Reason.UNTRUSTED
    if "alert" in words:
        return Reason.REFUSED
    return Reason.INCOMPATIBLE if _says(words, _NOTHING_IN_COMMON) else Reason.OTHER


def _says(words: str, fragments: tuple[str, ...]) -> bool:
    return any(fragment in words for fragment in fragments)


def forget(handle: object) -> None:
    """
    Let go what an ended connection's error holds: the frames of the call that met it.

    Twisted keeps that error in a variable of one of them, and the frames keep all the rest,
    so that each connection that ends without a goodbye would wait for the garbage collector.
    """
    error = getattr(handle, "error", None)
    if error is not None:
        clear_frames(error.__traceback__)
