"""Listening: connections accepted within limits, with TLS or without, watched for time."""

from collections.abc import Callable
from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.security.psk.tls import Reason, handshake_failure
from rserpool.transport.allowance import Allowance, plain_address
from rserpool.transport.connection import Connection, Receiver
from rserpool.transport.direct import send_at_once
from rserpool.transport.hello import Unbegun
from rserpool.transport.watch import Patience, Watch


class Listener(Factory):
    """
    The connections of one endpoint.

    :param creator: makes the server side of TLS; None: plain connections.
    :param failed: told of failed handshakes: address, reason, identity, words.
    :param refused: told of connections over a limit: address, words.
    :ivar admits: False: who connects is hung up on at once, and goes elsewhere.
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
        refused: Callable[[str, str], None] = lambda address, why: None,
    ) -> None:
        self.creator = creator
        self.admits = True
        self._receiver = receiver
        self._allowance = allowance
        self._clock = clock
        self._failed = failed
        self._refused = refused
        self._port: IListeningPort | None = None
        self._watch = Watch(patience, clock)
        self.sweep = self._watch.sweep

    @property
    def connections(self) -> set[Connection]:
        """Those that are open."""
        return self._watch.connections

    @property
    def where(self) -> str:
        """The address that it listens on; empty before it does."""
        if self._port is None:
            return ""
        host: Any = self._port.getHost()
        hosts = getattr(host, "hosts", (host.host,))  # SCTP may have several
        return f"{', '.join(hosts)} port {host.port}"

    def listen(self, endpoint: IStreamServerEndpoint) -> "Deferred[IListeningPort]":
        """Start; fails with what the endpoint says (a port that is taken)."""
        factory: Any = self
        if self.creator is not None:
            factory = _TLS(_Current(self), False, self, self._clock)
            # Answers to one read are joined already: another buffer would only add a
            # turn of the event loop to each.
            factory.protocol = TLSMemoryBIOProtocol
            factory.noisy = False
        return endpoint.listen(factory).addCallback(self._listening)

    def stop(self) -> "Deferred[object]":
        """Listen no more, and close what is open."""
        self._watch.stop()
        for connection in list(self.connections):
            connection.close("the registrar stops")
        port = self._port
        return maybeDeferred(port.stopListening) if port else maybeDeferred(lambda: None)

    def buildProtocol(self, addr: Any) -> Connection | None:  # noqa: N802 - Twisted's
        """Make the connection of one peer, or refuse it before anything is read."""
        address = plain_address(addr.host)
        if not self.admits:
            return None
        objection = self._allowance.objection(address)
        if objection:
            self._allowance.refused += 1
            self._refused(address, objection)
            return None
        self._allowance.opened(address)
        secure = self.creator is not None
        connection = Connection(self, address, addr.port, secure, self._clock)
        self._watch.add(connection)
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

    def _listening(self, port: IListeningPort) -> IListeningPort:
        self._port = port
        send_at_once(port)
        self._watch.start()
        return port

    def _unproven(self, connection: Connection, reason: Failure) -> None:
        handle = connection.transport.getHandle()
        failure = handshake_failure(handle, reason.value)
        self._allowance.failed(connection.address, given_up=failure[0] is Reason.LEFT)
        if self._failed is not None:
            self._failed(connection.address, *failure)


class _TLS(TLSMemoryBIOFactory):
    """Makes no TLS for a connection that the listener refuses: Twisted's own fails there."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """Wrap the connection of one peer, if there is one."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)


@implementer(IOpenSSLServerConnectionCreator)
class _Current:
    """Makes connections by the creator that the listener has now: reload replaces it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802,N803
        """Make the server side of one connection, when it has said hello."""
        return cast("SSL.Connection", Unbegun(tlsProtocol, self._begin))

    def _begin(self, protocol: Any) -> SSL.Connection:
        assert self._listener.creator is not None
        made: SSL.Connection = self._listener.creator.serverConnectionForTLS(protocol)
        return made
