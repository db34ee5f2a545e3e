"""
TLS with pre-shared keys on pyOpenSSL: the only module that uses its private names.

Note [Callbacks live for ever]

OpenSSL would call freed memory if a callback were collected before its context; so they are
module-level.  What differs hangs on the connection, which is found by the address of its SSL:
a callback can come from any call that drives the handshake, `send` too.

Note [Nothing leaves a callback]

An exception in a callback is printed by cffi, and to OpenSSL the answer is 0: "go on with
certificates".  So everything is caught.
"""

from importlib.metadata import version
from typing import Any
from weakref import WeakValueDictionary

from OpenSSL import SSL
from OpenSSL.crypto import X509

from rserpool.security.certificate.refusal import chain_refused
from rserpool.security.psk.handshake import ClientHandshake, ServerHandshake
from rserpool.security.psk.suites import SUITES_13, client_suites, server_suites
from rserpool.security.psk.terms import ClientTerms, ServerTerms
from rserpool.security.psk.unavailable import PSKUnavailable

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_PRIVATE = (
    "SSL_CTX_set_psk_client_callback",
    "SSL_CTX_set_psk_server_callback",
    "SSL_CTX_set_psk_find_session_callback",
    "SSL_session_reused",
)
_FLAGS = ("Cryptography_HAS_PSK", "Cryptography_HAS_PSK_TLSv1_3")


def probe(ssl: Any) -> tuple[Any, Any]:
    """
    Return the bindings of this `OpenSSL.SSL`.

    :raise PSKUnavailable: what it lacks.
    """
    lib, ffi = getattr(ssl, "_lib", None), getattr(ssl, "_ffi", None)
    missing = [name for name in _PRIVATE if not hasattr(lib, name)]
    missing += [name for name in _FLAGS if not getattr(lib, name, False)]
    missing += [f"SSL.{name}" for name in ("_lib", "_ffi") if not hasattr(ssl, name)]
    if not hasattr(ssl.Context, "set_tls13_ciphersuites"):
        missing.append("Context.set_tls13_ciphersuites")
    if not missing:
        context = ssl.Context(ssl.TLS_METHOD)
        missing += [] if hasattr(context, "_context") else ["Context._context"]
        missing += [] if hasattr(ssl.Connection(context), "_ssl") else ["Connection._ssl"]
    if missing:
        raise PSKUnavailable(
            f"cryptography {version('cryptography')}, pyOpenSSL {version('pyOpenSSL')}: "
            f"no {', '.join(missing)}"
        )
    return lib, ffi


_lib, _ffi = probe(SSL)
_connections: "WeakValueDictionary[int, Connection]" = WeakValueDictionary()


class Connection(SSL.Connection):
    """A connection whose callbacks find what belongs to it."""

    def __init__(
        self, context: SSL.Context, handshake: ServerHandshake | ClientHandshake
    ) -> None:
        super().__init__(context, None)
        self.handshake = handshake
        self.error: SSL.Error | None = None  # by which it ended
        self.raw: bytes | None = None  # an identity's octets, before C cut them at a NUL
        _connections[_address(self._ssl)] = self

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Receive; how it ended is kept, so that its frames can be let go (`forget`)."""
        try:
            return super().recv(bufsiz, flags)
        except SSL.SysCallError as error:
            self.error = error
            raise

    def do_handshake(self) -> None:
        """Go on with the handshake; see `recv`."""
        try:
            super().do_handshake()
        except SSL.SysCallError as error:
            self.error = error
            raise

    def session_reused(self) -> bool:
        """Whether a session, which a key is in TLS 1.3, was taken up."""
        return bool(_lib.SSL_session_reused(self._ssl))


def server_context(terms: ServerTerms) -> SSL.Context:
    """Make the context of a listener."""
    suites = server_suites(
        terms.lookup is not None, terms.shown is not None, terms.legacy_suites
    )
    context = _context(SSL.TLS_SERVER_METHOD, terms, suites)
    context.set_session_id(b"rserpool")  # or a stale TLS 1.2 session would be an error
    if terms.shown is not None:
        terms.shown.into(context)
    if terms.authorities is not None:
        store = context.get_cert_store()
        assert store is not None
        for each in terms.authorities.certificates:
            store.add_cert(X509.from_cryptography(each))
            context.add_client_ca(each)
        # Without FAIL_IF_NO_PEER_CERT: who shows none stays anonymous.
        context.set_verify(SSL.VERIFY_PEER, _note_refusal)
    if terms.lookup is not None:
        raw = context._context
        _lib.SSL_CTX_set_psk_server_callback(raw, _SERVER_KEY)
        _lib.SSL_CTX_set_psk_find_session_callback(raw, _NOTE_IDENTITY)
    return context


def client_context(terms: ClientTerms) -> SSL.Context:
    """Make the context of a client, which trusts nothing but its key."""
    suites = terms.suites or client_suites(terms.legacy_suites)
    context = _context(SSL.TLS_CLIENT_METHOD, terms, suites)
    # A server without the key could show a certificate instead: there is no authority in
    # this context, so that none is good enough.
    context.set_verify(SSL.VERIFY_PEER)
    _lib.SSL_CTX_set_psk_client_callback(context._context, _CLIENT_KEY)
    return context


def connection(
    context: SSL.Context, handshake: ServerHandshake | ClientHandshake
) -> Connection:
    """Make one connection."""
    return Connection(context, handshake)


def _context(method: int, terms: ServerTerms | ClientTerms, suites: str) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(_VERSIONS[terms.minimum])
    context.set_max_proto_version(_VERSIONS[terms.maximum])
    suites_13 = getattr(terms, "suites_13", SUITES_13)
    context.set_tls13_ciphersuites(":".join(suites_13).encode("ascii"))
    context.set_cipher_list(suites.encode("ascii"))
    # No resumption of whatever kind: it would outlive the key, and hide whose it was.
    context.set_options(
        SSL.OP_NO_TICKET
        | SSL.OP_NO_RENEGOTIATION
        | SSL.OP_NO_COMPRESSION
        | SSL.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 32 KiB less for each idle connection
    return context


def _note_refusal(
    connection: SSL.Connection, shown: X509, error: int, depth: int, ok: int
) -> bool:
    """OpenSSL asks about each certificate of the client's chain."""
    if not ok and isinstance(connection, Connection):
        handshake = connection.handshake
        if isinstance(handshake, ServerHandshake) and not handshake.refused:
            handshake.refused = chain_refused(
                error, shown.to_cryptography(), depth, "the CA file"
            )
    return bool(ok)


def _address(ssl: Any) -> int:
    return int(_ffi.cast("uintptr_t", ssl))


def _server_handshake(ssl: Any) -> tuple[Connection, ServerHandshake] | None:
    found = _connections.get(_address(ssl))
    if found is None or not isinstance(found.handshake, ServerHandshake):
        return None
    return found, found.handshake


def _server_key(ssl: Any, identity: Any, key: Any, room: int) -> int:
    """OpenSSL asks for the key of an identity; 0: there is none."""
    try:
        found = _server_handshake(ssl)
        if found is None:
            return 0
        connection, handshake = found
        octets = connection.raw if connection.raw is not None else _ffi.string(identity)
        connection.raw = None
        secret = handshake.secret(octets)
        if len(secret) > room:
            return 0
        _ffi.buffer(key, len(secret))[:] = secret
        return len(secret)
    except BaseException:
        return 0  # see Note [Nothing leaves a callback]


def _note_identity(ssl: Any, identity: Any, length: int, session: Any) -> int:
    """
    In TLS 1.3 OpenSSL asks for a session first: there is none, but here are all the octets.

    1: go on to the key; 0: break off.
    """
    try:
        session[0] = _ffi.NULL
        found = _server_handshake(ssl)
        if found is None or not found[1].one_more():
            return 0
        # No identity of ours is so long: not worth a copy.
        found[0].raw = bytes(_ffi.buffer(identity, length)) if length <= 255 else b""
        return 1
    except BaseException:
        return 0  # see Note [Nothing leaves a callback]


def _client_key(  # noqa: PLR0917 - C calls it
    ssl: Any, hint: Any, identity: Any, identity_room: int, key: Any, room: int
) -> int:
    """OpenSSL asks a client for its identity and key; 0: it has none."""
    try:
        found = _connections.get(_address(ssl))
        if found is None or not isinstance(found.handshake, ClientHandshake):
            return 0
        name, secret = found.handshake.identity + b"\0", found.handshake.secret
        if len(name) > identity_room or len(secret) > room:
            return 0
        _ffi.buffer(identity, len(name))[:] = name
        _ffi.buffer(key, len(secret))[:] = secret
        return len(secret)
    except BaseException:
        return 0  # see Note [Nothing leaves a callback]


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
