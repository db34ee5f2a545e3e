"""
TLS with pre-shared keys and certificates on pyOpenSSL; all its private bindings are here.

Note [Who is it]

That the callback was asked for an identity proves nothing: a client may name one whose key
it doesn't have and offer suites that don't fit, and the handshake goes on with
certificates.  So the proof is read from the finished handshake: in TLS 1.3 a resumed
session (resumption itself being off) is an external key, in TLS 1.2 the suite says so.
And TLS 1.3 offers suites of SHA-256 only, the hash of these keys.

Note [Unknown identities]

An unknown identity gets a stand-in key, derived from a secret of this process: the
handshake fails just as it does for a wrong key, and the peer can't tell which it was
(RFC 4279 section 2).  What isn't printable UTF-8 is no identity of ours but a stale ticket,
which certificate clients do offer; it gets no key, so that they go on.

Note [Callbacks live for ever]

OpenSSL would call freed memory if a callback were collected before its context.  They are
module-level; what differs hangs on the connection, found by the address of its SSL.
"""

import hashlib
import os
import weakref
from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.security.credentials import Evidence
from rserpool.security.decisions import Proof

#: Octets of an identity and of a key.  The lower bound of keys is RFC 9257's 128 bits; the
#: others keep what a peer can make us look up and copy small.
MAXIMUM_IDENTITY = 128
MINIMUM_KEY, MAXIMUM_KEY = 16, 64

Lookup = Callable[[str], bytes | None]

_log = Logger(namespace="rserpool.security.psk")


class PSKUnavailable(ImportError):
    """This pyOpenSSL or cryptography lacks what pre-shared keys need."""


_NEEDED = (
    "SSL_CTX_set_psk_client_callback",
    "SSL_CTX_set_psk_server_callback",
    "SSL_CTX_set_psk_find_session_callback",
    "SSL_session_reused",
)


def _bindings() -> tuple[Any, Any]:
    lib, ffi = getattr(SSL, "_lib", None), getattr(SSL, "_ffi", None)
    missing = [name for name in _NEEDED if not hasattr(lib, name)]
    if not hasattr(SSL.Context, "set_tls13_ciphersuites"):
        missing.append("Context.set_tls13_ciphersuites")
    if lib is None or ffi is None or missing:
        from importlib.metadata import version

        raise PSKUnavailable(
            f"cryptography {version('cryptography')}, pyOpenSSL {version('pyOpenSSL')}: "
            f"no {', '.join(missing) or 'bindings'}; pre-shared keys need another version"
        )
    return lib, ffi


_lib, _ffi = _bindings()
_SUITES_13 = b"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
_SUITES_PSK = (
    "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:"
    "DHE-PSK-AES256-GCM-SHA384:DHE-PSK-AES128-GCM-SHA256"
)
_SUITES_CERTIFICATE = "ECDHE+AESGCM:ECDHE+CHACHA20:!kRSAPSK:!aNULL:!eNULL"
#: What RFC 5352 section 9.2 and RFC 4279 make mandatory: CBC, and no forward secrecy.
_SUITES_LEGACY = "PSK-AES128-CBC-SHA:AES128-SHA"
_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_connections: "weakref.WeakValueDictionary[int, _Connection]" = weakref.WeakValueDictionary()
_secret = os.urandom(32)


@attrs.define
class _Offer:
    """What was looked up for a connection: the last time counts (HelloRetryRequest)."""

    identity: str
    known: bool
    failed: bool = False


class _Connection(SSL.Connection):
    """A connection whose callbacks find their data."""

    offer: _Offer | None = None
    raw: bytes | None = None  # the identity's octets in TLS 1.3, before C cuts them at 0
    lookup: Lookup | None = None
    client: "tuple[bytes, bytes] | None" = None

    def __init__(self, context: SSL.Context) -> None:
        super().__init__(context, None)
        _connections[_address(self._ssl)] = self


def _address(ssl: Any) -> int:
    return int(_ffi.cast("uintptr_t", ssl))


def printable(raw: bytes) -> str | None:
    """The identity, if these octets are one of ours: 1 to 128 of printable UTF-8."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    fits = 0 < len(raw) <= MAXIMUM_IDENTITY and text.isprintable()
    return text if fits else None


def _stand_in(identity: str) -> bytes:
    return hashlib.blake2b(identity.encode(), key=_secret, digest_size=32).digest()


def _looked_up(connection: _Connection, identity: str) -> bytes:
    """The key of an identity, or its stand-in; notes on the connection which it is."""
    stand_in = _stand_in(identity)  # always, so that both ways take the same time
    offer = _Offer(identity, known=False)
    connection.offer = offer
    try:
        key = connection.lookup(identity) if connection.lookup else None
    except Exception:
        offer.failed = True
        _log.failure("looking up a pre-shared key failed; its owner isn't let in")
        return stand_in
    if key is None or not MINIMUM_KEY <= len(key) <= MAXIMUM_KEY:
        return stand_in
    offer.known = True
    return key


def _server_key(ssl: Any, identity: Any, key: Any, room: int) -> int:
    """OpenSSL asks for the key of an identity; 0: there is none."""
    try:
        connection = _connections.get(_address(ssl))
        if connection is None:
            return 0
        raw, connection.raw = connection.raw, None
        name = printable(_ffi.string(identity) if raw is None else raw)
        if name is None:
            return 0
        found = _looked_up(connection, name)
        if len(found) > room:
            return 0
        _ffi.buffer(key, len(found))[:] = found
        return len(found)
    except BaseException:
        return 0


def _note_identity(ssl: Any, identity: Any, length: int, session: Any) -> int:
    """TLS 1.3 tells the identity's octets; there is no session for it, only a key."""
    try:
        connection = _connections.get(_address(ssl))
        if connection is not None:
            connection.raw = bytes(_ffi.buffer(identity, length))
        session[0] = _ffi.NULL
        return 1
    except BaseException:
        return 0


def _client_key(ssl: Any, hint: Any, *rest: Any) -> int:
    """OpenSSL asks a client for its identity and key; `rest` is room and buffers for them."""
    identity, identity_room, key, key_room = rest
    try:
        connection = _connections.get(_address(ssl))
        if connection is None or connection.client is None:
            return 0
        name, secret = connection.client
        if len(name) + 1 > identity_room or len(secret) > key_room:
            return 0
        _ffi.buffer(identity, len(name) + 1)[:] = name + b"\0"
        _ffi.buffer(key, len(secret))[:] = secret
        return len(secret)
    except BaseException:
        return 0


_SERVER_KEY = _ffi.callback(
    "unsigned int(SSL *, const char *, unsigned char *, unsigned int)", _server_key, error=0
)
_NOTE_IDENTITY = _ffi.callback(
    "int(SSL *, const unsigned char *, size_t, SSL_SESSION **)", _note_identity, error=0
)
_CLIENT_KEY = _ffi.callback(
    "unsigned int(SSL *, const char *, char *, unsigned int, unsigned char *, unsigned int)",
    _client_key,
    error=0,
)


def _context(minimum: str, suites: str) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(_VERSIONS[minimum])
    context.set_tls13_ciphersuites(_SUITES_13)
    context.set_cipher_list(suites.encode())
    # A ticket would outlive its key: no resumption, of whatever kind.
    context.set_options(
        SSL.OP_NO_TICKET | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_COMPRESSION
        | SSL.OP_NO_RENEGOTIATION
    )  # fmt: skip
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 20 KiB less for each idle connection
    return context


@implementer(IOpenSSLServerConnectionCreator)
class ServerCreator:
    """
    Makes the server side of connections: pre-shared keys, certificates, or both.

    :param lookup: identity to key; None: no pre-shared keys.
    :param certificate: PEM of the certificate and its chain, shown to who has no key.
    :param private_key: PEM.
    :param authorities: PEM of the authorities whose client certificates are accepted.
    :param minimum: the oldest version of TLS, "1.3" or "1.2".
    :param legacy_suites: offer the CBC suites that RFC 5352 section 9.2 makes mandatory.
    """

    def __init__(
        self,
        lookup: Lookup | None = None,
        *,
        certificate: bytes | None = None,
        private_key: bytes | None = None,
        authorities: bytes | None = None,
        minimum: str = "1.3",
        legacy_suites: bool = False,
    ) -> None:
        suites = _suites(lookup is not None, certificate is not None, legacy_suites)
        self._lookup = lookup
        self._context = context = _context(minimum, suites)
        if certificate is not None and private_key is not None:
            _show(context, certificate, private_key)
        if authorities is not None:
            _trust(context, authorities)
        if lookup is not None:
            raw = context._context
            _lib.SSL_CTX_set_psk_server_callback(raw, _SERVER_KEY)
            _lib.SSL_CTX_set_psk_find_session_callback(raw, _NOTE_IDENTITY)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802,N803
        """Make the connection of one peer."""
        connection = _Connection(self._context)
        connection.lookup = self._lookup
        return connection


@implementer(IOpenSSLClientConnectionCreator)
class PSKClientCreator:
    """
    Makes the client side of connections that prove a pre-shared key, both ways.

    A server without the key could still show a certificate: the trust store is empty, so
    that no certificate is good enough.
    """

    def __init__(self, identity: str, key: bytes, *, minimum: str = "1.3") -> None:
        if printable(identity.encode()) is None:
            raise ValueError(f"{identity!r} isn't 1 to 128 octets of printable UTF-8")
        if not MINIMUM_KEY <= len(key) <= MAXIMUM_KEY:
            raise ValueError(f"a key has {MINIMUM_KEY} to {MAXIMUM_KEY} octets")
        self._identity = identity
        self._client = (identity.encode(), key)
        self._context = _context(minimum, _suites(True, False, False))
        self._context.set_verify(SSL.VERIFY_PEER, None)
        _lib.SSL_CTX_set_psk_client_callback(self._context._context, _CLIENT_KEY)

    def __repr__(self) -> str:
        return f"<PSKClientCreator {self._identity!r}>"

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802,N803
        """Make one connection."""
        connection = _Connection(self._context)
        connection.client = self._client
        return connection


def _suites(keys: bool, certificate: bool, legacy: bool) -> str:
    parts = []
    if keys:
        parts.append(_SUITES_PSK)
    if certificate or not keys:
        parts.append(_SUITES_CERTIFICATE)
    if legacy:
        _log.warn("legacy suites are on: TLS 1.2 clients may choose CBC and no forward secrecy")
        parts.insert(1 if keys else 0, _SUITES_LEGACY)
    return ":".join(parts)


def _show(context: SSL.Context, certificate: bytes, private_key: bytes) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    first, *chain = x509.load_pem_x509_certificates(certificate)
    context.use_certificate(first)
    for link in chain:
        context.add_extra_chain_cert(link)
    context.use_privatekey(load_pem_private_key(private_key, None))  # type: ignore[arg-type]
    context.check_privatekey()


def _trust(context: SSL.Context, authorities: bytes) -> None:
    from cryptography import x509

    store = context.get_cert_store()
    assert store is not None
    names = []
    for authority in x509.load_pem_x509_certificates(authorities):
        legacy = crypto.X509.from_cryptography(authority)
        store.add_cert(legacy)
        names.append(legacy.get_subject())
    context.set_client_ca_list(names)
    # Without FAIL_IF_NO_PEER_CERT: who shows none stays anonymous.
    context.set_verify(SSL.VERIFY_PEER, None)


def authentication(connection: SSL.Connection) -> Evidence:
    """
    Return what a finished handshake has proven about the peer; see Note [Who is it].

    On the client's side of a pre-shared key, `identity` is empty: the server has proven
    the same key.
    """
    version = connection.get_protocol_version_name()
    cipher = connection.get_cipher_name() or ""
    group = connection.get_group_name()
    if version == "TLSv1.3":
        keyed = bool(_lib.SSL_session_reused(connection._ssl))
    else:
        keyed = "PSK" in cipher
    if keyed:
        offer = connection.offer if isinstance(connection, _Connection) else None
        if offer is not None and offer.known:
            return Evidence(Proof.PSK, offer.identity, None, version, cipher, group)
        if isinstance(connection, _Connection) and connection.client is not None:
            return Evidence(Proof.PSK, "", None, version, cipher, group)
        # Resumed by something that isn't a key of ours: nothing is proven.
        return Evidence(Proof.ANONYMOUS, "", None, version, cipher, group)
    certificate = connection.get_peer_certificate(as_cryptography=True)
    proof = Proof.ANONYMOUS if certificate is None else Proof.CERTIFICATE
    return Evidence(proof, "", certificate, version, cipher, group)


class Reason(Enum):
    """Why a handshake failed, as far as this side can tell."""

    UNKNOWN_IDENTITY = "unknown identity"
    WRONG_KEY = "wrong key"
    LOOKUP_FAILED = "the key store failed"
    UNTRUSTED = "untrusted certificate"
    REFUSED = "the peer refused us"
    OTHER = "other"


def handshake_failure(
    connection: SSL.Connection, error: BaseException | None
) -> tuple[Reason, str | None, str]:
    """Return why a handshake failed, the identity that was shown, and OpenSSL's words."""
    text = _words(error)
    offer = connection.offer if isinstance(connection, _Connection) else None
    identity = None if offer is None else offer.identity
    if "verify failed" in text:
        return Reason.UNTRUSTED, identity, text
    if offer is not None and ("binder" in text or "bad record mac" in text):
        if offer.failed:
            return Reason.LOOKUP_FAILED, identity, text
        return (Reason.WRONG_KEY if offer.known else Reason.UNKNOWN_IDENTITY), identity, text
    return (Reason.REFUSED if "alert" in text else Reason.OTHER), identity, text


def _words(error: BaseException | None) -> str:
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(str(entry[-1]) for entry in error.args[0])
    return str(error or "")
