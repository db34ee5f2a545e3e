"""
One call to one registrar, and the connection that came of it.

Whatever fails is explained in words.
"""

import socket
from typing import Any
from typing import Protocol as Shape

from OpenSSL import SSL
from twisted.internet.error import ConnectionRefusedError, TimeoutError  # noqa: A004
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from rserpool.client.security import Security
from rserpool.security.certificate.refusal import CertificateRefused, openssl_words
from rserpool.security.certificate.trust import explain
from rserpool.security.decisions import Proof
from rserpool.security.psk.outcome import no_tls
from rserpool.security.psk.tls import handshake_failure
from rserpool.transport import endpoints
from rserpool.transport.connection import Connection

#: Seconds that one call, its TLS included, may take.
CALL_TIMEOUT = 10.0
#: Seconds of silence after which TCP asks whether the registrar is still there, between two
#: such questions, and until it is given up: one whose machine died says nothing, and a pool
#: element, which mostly listens, would notice only at its next renewal.  SCTP has
#: heartbeats for that.
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, GIVE_UP = 15, 5, 30


class Owner(Shape):
    """Who is told what becomes of a call."""

    def reached(self, call: "Call") -> None:
        """It came about, TLS and all."""

    def failed(self, call: "Call", words: str) -> None:
        """It has failed."""

    def arrived(self, call: "Call", messages: list[bytes]) -> None:
        """Messages have come by its connection."""

    def lost(self, call: "Call", words: str) -> None:
        """Its connection has ended."""


class Call(Factory):
    """
    One call; it ends in exactly one of `reached` and `failed`, unless it is hung up.

    :param patience: seconds that it may take; None: `CALL_TIMEOUT`.
    :ivar unproven: whether it has failed because who answers hasn't proven who it is, or
        refuses what was shown to it.
    :ivar disbelieved: whether it has failed because we don't believe its certificate.
    """

    noisy = False

    def __init__(
        self,
        owner: Owner,
        index: int,
        security: Security,
        description: str,
        patience: float | None = None,
    ) -> None:
        self.connection: Connection | None = None
        self.unproven = self.disbelieved = False
        self.index = index
        self._owner = owner
        self._security = security
        self._wanted = security_name(security, description)
        self._patience = patience or CALL_TIMEOUT
        self._attempt: Any = None
        self._timeout: IDelayedCall | None = None
        self._over = False
        self._heard = False

    def dial(self, reactor: Any, endpoint: Any, creator: Any) -> None:
        """Call."""
        factory: Any = self
        if creator is not None:
            factory = TLSMemoryBIOFactory(creator, True, self)
            factory.noisy = False
        self._timeout = reactor.callLater(self._patience, self._too_long)
        self._attempt = endpoint.connect(factory)
        self._attempt.addErrback(self._failed)

    def hang_up(self) -> None:
        """End it, whatever it has come to."""
        self._finish()
        self._over = True
        if self.connection is not None:
            self.connection.close("it isn't needed any more")
        elif self._attempt is not None:
            self._attempt.cancel()

    def cut_off(self, reason: str) -> None:
        """End it now."""
        self._over = True
        if self.connection is not None:
            self.connection.abort(reason)

    def buildProtocol(self, addr: Any) -> Connection:  # noqa: N802 - Twisted calls it
        """Make our side of the connection."""
        secure = self._security.proof is not Proof.PLAIN
        self.connection = Connection(self, addr.host, addr.port, secure)
        return self.connection

    def opened(self, connection: Connection) -> None:
        """The connection is up: has the registrar proven what we ask of it?"""
        self._finish()
        proof = Proof.PLAIN if connection.evidence is None else connection.evidence.proof
        if proof is not self._security.proof:
            self._over = self.unproven = True
            connection.abort("it hasn't proven who it is")
            self._owner.failed(self, "it hasn't proven who it is")
            return
        _watch_life(connection.transport)
        self._owner.reached(self)

    def arrived(self, connection: Connection, messages: list[bytes]) -> None:
        """Messages have come."""
        self._heard = True
        self._owner.arrived(self, messages)

    def lost(self, connection: Connection, reason: Failure) -> None:
        """The connection has ended."""
        self._finish()
        if not self._over:
            self._over = True
            self.unproven = isinstance(reason.value, SSL.Error) and not connection.ready
            self.disbelieved = isinstance(reason.value, CertificateRefused)
            self._owner.lost(self, self._words(connection, reason))

    def _words(self, connection: Connection, reason: Failure) -> str:
        error: Any = reason.value
        if not isinstance(error, SSL.Error):
            if connection.ready and self._heard:
                return "the connection was lost"
            if connection.ready:
                return f"it hung up before it said anything; it may {self._why_silent()}"
            return "it hung up in the TLS handshake; is that its port for TLS?"
        if connection.ready and self._heard:
            return f"what came isn't what was sent: {openssl_words(error)}"
        handle = connection.transport.getHandle()
        if self._security.proof is Proof.CERTIFICATE:
            shown = handle.get_peer_certificate(as_cryptography=True)
            words = explain(error, self._wanted, shown)
        else:
            words = handshake_failure(handle, error)[2]
        return f"it speaks no TLS there ({words})" if no_tls(words) else words

    def _why_silent(self) -> str:
        """Why one may hang up that says nothing."""
        if self._security.proof is Proof.PLAIN:
            return "want TLS there, or not serve yet"
        if getattr(self._security, "client", None) is not None:
            # In TLS 1.3 it sees our certificate when for us the handshake is over.
            return "refuse the certificate that it was shown, or not serve yet"
        return "not serve yet"

    def _failed(self, failure: Failure) -> None:
        self._finish()
        if not self._over:
            self._over = True
            self._owner.failed(self, connect_words(failure.value, self._patience))

    def _too_long(self) -> None:
        self._timeout = None
        self._over = True
        words = f"it didn't answer within {self._patience:g} seconds"
        if self.connection is not None:
            self.connection.abort("it takes too long")
            words = f"no TLS within {self._patience:g} seconds; is that its port for TLS?"
        else:
            self._attempt.cancel()
        self._owner.failed(self, words)

    def _finish(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None


def security_name(security: Security, description: str) -> str:
    """The name that a registrar's certificate must be for."""
    return getattr(security, "name", None) or endpoints.host_of(description) or ""


def connect_words(error: BaseException | None, patience: float) -> str:
    """Why there was no connection, for people."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there (connection refused)"
    if isinstance(error, TimeoutError):
        return f"it didn't answer within {patience:g} seconds"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # without the number, which helps nobody
    return str(error)


def _watch_life(transport: Any) -> None:
    """
    Let TCP notice a registrar that vanished; under TLS, its socket is one layer down.

    SCTP has heartbeats for that.
    """
    handle = getattr(transport, "socket", None)
    if not isinstance(handle, socket.socket) or not hasattr(transport, "setTcpKeepAlive"):
        return
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
        ("TCP_USER_TIMEOUT", GIVE_UP * 1000),
    ):
        if hasattr(socket, name):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
