"""
TLS with pre-shared keys on the standard library (Python 3.13 and later).

The second backend, for the day when pyOpenSSL has no private names any more: `ssl` over
memory BIOs, behind those methods of pyOpenSSL's Connection that Twisted calls.

Limits: the suites of TLS 1.3 can't be chosen before Python 3.15, so that on a listener with
a certificate a client must list one of SHA-256 first to be let in by its key; one that
doesn't is offered the certificate.  The group of the key exchange isn't told.

Note [Whose callback]

Python tells a callback the identity and nothing else.  Everything that drives a handshake
goes through this module, in one thread, so the connection that is being driven is the one.
"""

import os
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509

from rserpool.security.certificate.refusal import chain_refused
from rserpool.security.certificate.shown import Shown
from rserpool.security.psk.handshake import ClientHandshake, ServerHandshake
from rserpool.security.psk.suites import SUITES_13, client_suites, server_suites
from rserpool.security.psk.terms import ClientTerms, ServerTerms
from rserpool.security.psk.unavailable import PSKUnavailable

_T = TypeVar("_T")
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def probe(module: Any) -> None:
    """
    Look whether this `ssl` has what is needed.

    :raise PSKUnavailable: what it lacks.
    """
    missing = [
        name
        for name in ("set_psk_server_callback", "set_psk_client_callback")
        if not hasattr(module.SSLContext, name)
    ]
    if missing:
        raise PSKUnavailable(
            f"the standard library's ssl: no {', '.join(missing)}; that needs Python 3.13, and "
            f"this is {sys.version_info.major}.{sys.version_info.minor}"
        )
    if not getattr(module, "HAS_PSK", False):
        raise PSKUnavailable("the standard library's ssl: its OpenSSL was built without PSK")


probe(ssl)


class ServerContext:
    """The context of a listener, or, with TLS 1.2, what makes one for each connection."""

    def __init__(self, terms: ServerTerms) -> None:
        self._terms = terms
        self.driven: Connection | None = None
        self._one = self._made()

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """Make the TLS of one connection."""
        # The session cache can't be switched off here, and TLS 1.2 would resume from it
        # without asking for a key; a context of its own has nothing to resume.
        context = self._one if self._terms.minimum == "1.3" else self._made()
        wrapped: ssl.SSLObject = context.wrap_bio(incoming, outgoing, server_side=True)
        return wrapped

    def _made(self) -> Any:
        terms = self._terms
        keys, certificate = terms.lookup is not None, terms.shown is not None
        suites = server_suites(keys, certificate, terms.legacy_suites)
        context = _context(ssl.PROTOCOL_TLS_SERVER, terms, suites)
        context.num_tickets = 0
        if terms.shown is not None:
            _show(context, terms.shown)
        if terms.authorities is not None:
            context.load_verify_locations(cadata=terms.authorities.pem.decode("utf-8"))
            context.verify_mode = ssl.CERT_OPTIONAL
        if keys:
            context.set_psk_server_callback(self._secret)
        if keys and certificate:
            # OpenSSL prefers a suite of SHA-384, with which no key of ours is taken up.
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        return context

    def _secret(self, identity: str | None) -> bytes:
        if identity is None or self.driven is None:
            return b""
        handshake = self.driven.handshake
        if not isinstance(handshake, ServerHandshake) or not handshake.one_more():
            return b""
        return handshake.secret(identity.encode("utf-8"))


class ClientContext:
    """The context of a client, which trusts nothing but its key."""

    driven: "Connection | None" = None

    def __init__(self, terms: ClientTerms) -> None:
        suites = terms.suites or client_suites(terms.legacy_suites)
        self._context = _context(ssl.PROTOCOL_TLS_CLIENT, terms, suites)
        self._context.check_hostname = False
        # A server without the key could show a certificate instead: there is no authority
        # in this context, so that none is good enough.
        self._context.verify_mode = ssl.CERT_REQUIRED
        answer = (terms.identity.decode("utf-8"), terms.secret)
        self._context.set_psk_client_callback(lambda hint: answer)

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """Make the TLS of one connection."""
        wrapped: ssl.SSLObject = self._context.wrap_bio(incoming, outgoing)
        return wrapped


server_context = ServerContext
client_context = ClientContext


class Connection:
    """What Twisted calls of pyOpenSSL's Connection, on the standard library's ssl."""

    def __init__(
        self,
        context: ServerContext | ClientContext,
        handshake: ServerHandshake | ClientHandshake,
    ) -> None:
        self.handshake = handshake
        self._context = context
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap(self._incoming, self._outgoing)
        self._app_data: object = None

    def set_connect_state(self) -> None:
        """Side with the client: its context has settled that."""

    def set_accept_state(self) -> None:
        """Side with the server: its context has settled that."""

    def set_app_data(self, data: object) -> None:
        """Keep something of Twisted's."""
        self._app_data = data

    def get_app_data(self) -> object:
        """Return what Twisted left."""
        return self._app_data

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        self._drive(self._tls.do_handshake)

    def send(self, buf: bytes, flags: int = 0) -> int:
        """Encrypt; a first write drives the handshake."""
        if self._tls.version() is None:
            self.do_handshake()
        return self._drive(lambda: self._tls.write(buf))

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Return what can be decrypted."""
        data = self._drive(lambda: self._tls.read(bufsiz))
        if not data:
            raise SSL.ZeroReturnError
        return data

    def bio_write(self, buf: bytes) -> int:
        """Take what came from the network."""
        return self._incoming.write(buf)

    def bio_read(self, bufsiz: int) -> bytes:
        """Return what must go to the network."""
        data = self._outgoing.read(bufsiz)
        if not data:
            raise SSL.WantReadError
        return data

    def bio_shutdown(self) -> None:
        """Take note that nothing more will come."""
        self._incoming.write_eof()

    def shutdown(self) -> bool:
        """Say goodbye; return whether the other side has, too."""
        try:
            self._drive(self._tls.unwrap)
        except SSL.WantReadError:
            return False
        return True

    def session_reused(self) -> bool:
        """Whether a session, which a key is in TLS 1.3, was taken up."""
        return bool(self._tls.session_reused)

    def get_peer_finished(self) -> bytes | None:
        """Return something once the handshake is done, and None before."""
        return None if self._tls.version() is None else b"finished"

    def get_protocol_version_name(self) -> str:
        """Return the version of TLS."""
        return self._tls.version() or "unknown"

    def get_cipher_name(self) -> str | None:
        """Return the suite."""
        suite = self._tls.cipher()
        return None if suite is None else suite[0]

    def get_group_name(self) -> str | None:
        """Return None: the standard library doesn't tell the group."""
        return None

    def get_alpn_proto_negotiated(self) -> bytes:
        """Return nothing: ALPN isn't used."""
        return b""

    def get_peer_certificate(
        self, *, as_cryptography: bool = False
    ) -> X509 | x509.Certificate | None:
        """Return the certificate that the peer has shown."""
        der = self._tls.getpeercert(binary_form=True)
        if not der:
            return None
        certificate = x509.load_der_x509_certificate(der)
        return certificate if as_cryptography else X509.from_cryptography(certificate)

    def get_verified_chain(self, *, as_cryptography: bool = True) -> list[x509.Certificate]:
        """Return the chain that was verified, the peer's own certificate first."""
        assert as_cryptography, "nobody here wants anything else"
        # What 3.13 has more than 3.11, mypy can't know.
        tls: Any = self._tls
        return [x509.load_der_x509_certificate(der) for der in tls.get_verified_chain()]

    def _drive(self, step: Callable[[], _T]) -> _T:
        """Let TLS go on, with its exceptions as pyOpenSSL's."""
        before, self._context.driven = self._context.driven, self
        try:
            return step()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise SSL.WantReadError from None
        except ssl.SSLZeroReturnError:
            raise SSL.ZeroReturnError from None
        except (ssl.SSLError, ValueError) as error:
            self._raise(error)
        finally:
            self._context.driven = before

    def _raise(self, error: Exception) -> NoReturn:
        if isinstance(error, ssl.SSLEOFError):
            raise SSL.SysCallError(-1, "Unexpected EOF") from None
        if isinstance(error, ssl.SSLCertVerificationError) and isinstance(
            self.handshake, ServerHandshake
        ):
            self.handshake.refused = chain_refused(error.verify_code, None, 0, "the CA file")
        words = getattr(error, "reason", None) or str(error)
        raise SSL.Error([("SSL routines", "", words.replace("_", " ").lower())]) from None


connection = Connection


def _context(protocol: int, terms: ServerTerms | ClientTerms, suites: str) -> Any:
    context: Any = ssl.SSLContext(protocol)  # what 3.13 has more than 3.11, mypy can't know
    context.minimum_version = _VERSIONS[terms.minimum]
    context.maximum_version = _VERSIONS[terms.maximum]
    context.set_ciphers(suites)
    if hasattr(context, "set_ciphersuites"):
        context.set_ciphersuites(":".join(getattr(terms, "suites_13", SUITES_13)))
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # A connection that was cut is not one that was closed.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


def _show(context: ssl.SSLContext, own: Shown) -> None:
    with _as_file(own.pem()) as path:
        context.load_cert_chain(path)


@contextmanager
def _as_file(secret: bytes) -> Iterator[str]:
    """Give the standard library a file to read, because it reads keys from nothing else."""
    if hasattr(os, "memfd_create"):
        descriptor, path = os.memfd_create("certificate"), ""
        path = f"/dev/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
    try:
        os.write(descriptor, secret)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield path
    finally:
        os.close(descriptor)
        if not path.startswith("/dev/"):
            os.unlink(path)
