"""
Listening: connections accepted within limits, with TLS or without, watched for time.

One sweep a second looks at all connections of a listener, instead of a timer for each.
"""

from collections.abc import Callable
from typing import Any

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.security.psk.tls import Reason, handshake_failure
from rserpool.transport.allowance import Allowance, plain_address
from rserpool.transport.connection import Connection, Receiver
from rserpool.transport.direct import send_at_once


@attrs.frozen(kw_only=True)
class Patience:
    """Seconds that a peer may take; 0 switches one off."""

    #: Stops half-open connections and handshakes that never end from taking sockets.
    handshake: float = 10.0
    #: Stops connections that do nothing from taking what honest peers need.
    idle: float = 600.0
    #: How long a peer may leave unread what it asked for.
    stall: float = 30.0
    #: How long a peer may take to say goodbye.
    closing: float = 10.0


class Listener(Factory):
    """
    The connections of one endpoint.

    :param creator: makes the server side of TLS; None: plain connections.
    :param failed: told of failed handshakes: address, reason, identity, words.
    """

    noisy = False
    _log = Logger(namespace="rserpool.transport")

    def __init__(
        self,
        receiver: Receiver,
        allowance: Allowance,
        patience: Patience,
        *,
        clock: IReactorTime,
        creator: IOpenSSLServerConnectionCreator | None = None,
        failed: Callable[[str, Reason, str | None, str], None] | None = None,
    ) -> None:
        self.connections: set[Connection] = set()
        self.creator = creator
        self._receiver = receiver
        self._allowance = allowance
        self._patience = patience
        self._clock = clock
        self._failed = failed
        self._port: IListeningPort | None = None
        self._sweep = LoopingCall(self.sweep)
        self._sweep.clock = clock

    @property
    def where(self) -> str:
        """The address that it listens on; empty before it does."""
        if self._port is None:
            return ""
        host: Any = self._port.getHost()
        return f"{host.host} port {host.port}"

    def listen(self, endpoint: IStreamServerEndpoint) -> "Deferred[IListeningPort]":
        """Start; fails with what the endpoint says (a port that is taken)."""
        factory: Any = self
        if self.creator is not None:
            factory = TLSMemoryBIOFactory(_Current(self), False, self, self._clock)
            # Answers to one read are joined already: another buffer would only add a
            # turn of the event loop to each.
            factory.protocol = TLSMemoryBIOProtocol
            factory.noisy = False
        return endpoint.listen(factory).addCallback(self._listening)

    def stop(self) -> "Deferred[object]":
        """Listen no more, and close what is open."""
        if self._sweep.running:
            self._sweep.stop()
        for connection in list(self.connections):
            connection.close("the registrar stops")
        port = self._port
        return maybeDeferred(port.stopListening) if port else maybeDeferred(lambda: None)

    def buildProtocol(self, addr: Any) -> Connection | None:  # noqa: N802 - Twisted's
        """Make the connection of one peer, or refuse it before anything is read."""
        address = plain_address(addr.host)
        objection = self._allowance.objection(address)
        if objection:
            self._allowance.refused += 1
            return None
        self._allowance.opened(address)
        secure = self.creator is not None
        connection = Connection(self, address, addr.port, secure)
        connection.since = connection.active = self._clock.seconds()
        self.connections.add(connection)
        return connection

    def opened(self, connection: Connection) -> None:
        """A connection is up: TLS has proven what it can."""
        self._receiver.opened(connection)

    def arrived(self, connection: Connection, messages: list[bytes]) -> None:
        """Messages have come."""
        self._receiver.arrived(connection, messages)

    def lost(self, connection: Connection, reason: Failure) -> None:
        """A connection is gone; if TLS never came about, say why."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self._allowance.closed(connection.address)
        if connection.ready:
            self._receiver.lost(connection, reason)
        elif connection.secure:
            self._unproven(connection, reason)

    def sweep(self) -> None:
        """Cut off who takes too long."""
        now, patience = self._clock.seconds(), self._patience
        for connection in list(self.connections):
            if connection.ended:
                # TLS waits for the peer's goodbye, which one may withhold for ever.
                connection.ending = connection.ending or now
                if now - connection.ending > patience.closing:
                    connection.finish()
                continue
            if connection.touched:
                connection.touched = False
                connection.active = now
            if not connection.settled:
                if patience.handshake and now - connection.since > patience.handshake:
                    connection.abort("proving who it is takes too long")
            elif connection.full:
                connection.stalled = connection.stalled or now
                if patience.stall and now - connection.stalled > patience.stall:
                    connection.abort("it doesn't read its answers")
            elif patience.idle and now - connection.active > patience.idle:
                connection.close("it has been idle")

    def _listening(self, port: IListeningPort) -> IListeningPort:
        self._port = port
        send_at_once(port)
        self._sweep.start(1.0, now=False)
        return port

    def _unproven(self, connection: Connection, reason: Failure) -> None:
        self._allowance.failed(connection.address)
        if self._failed is not None:
            handle = connection.transport.getHandle()
            self._failed(connection.address, *handshake_failure(handle, reason.value))


@implementer(IOpenSSLServerConnectionCreator)
class _Current:
    """Makes connections by the creator that the listener has now: reload replaces it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802,N803
        """Make the server side of one connection."""
        assert self._listener.creator is not None
        return self._listener.creator.serverConnectionForTLS(tlsProtocol)
