"""One connection to a pool element, held until the application has agreed to it."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.client.failover import Standing
from rserpool.client.security import Plain, Security
from rserpool.security.decisions import Proof
from rserpool.security.psk.tls import NotAuthenticated, authentication

#: Octets that an element may say before the application has agreed to it: one that speaks first
#: says a greeting; what comes beyond it waits on the wire.
UNREAD = 1 << 16


@implementer(IHandshakeListener)
class Line(Protocol):
    """
    One connection.

    :param lost: told when it has ended, and why, once it was the application's.
    :ivar ready: how it is secured, when it is up; fails if it doesn't come about.
    :ivar why: what the application finds wrong with it, or nothing.
    :ivar goodbye: it has ended as connections do: the element is there, and has had enough.
    """

    transport: Any

    def __init__(self, security: Security, lost: "Callable[[Line, str], None]") -> None:
        self.factory = Factory.forProtocol(lambda: self)
        self.factory.noisy = False
        self.ready: Deferred[Standing] = Deferred()
        self.why = ""
        self.lost = False
        self.goodbye = False
        self._security = security
        self._told = lost
        self._unread = b""
        self._inner: Any = None

    def connectionMade(self) -> None:  # noqa: N802 - Twisted calls it
        """It is up; with TLS the handshake is still to come."""
        if isinstance(self._security, Plain):
            self.ready.callback(Standing(Proof.PLAIN))

    def handshakeCompleted(self) -> None:  # noqa: N802 - Twisted calls it
        """Has the element proven what it has to?"""
        try:
            seen = authentication(self.transport.getHandle())
        except NotAuthenticated as error:
            self._failed(error)
            return
        if seen.proof is not self._security.proof:
            self._failed(NotAuthenticated("it hasn't proven who it is"))
        elif not self.ready.called:
            self.ready.callback(Standing(seen.proof, seen.identity, seen.version, seen.cipher))

    def begin(self, factory: IProtocolFactory) -> IProtocol:
        """Let the application have it."""
        inner: Any = factory.buildProtocol(self.transport.getPeer())
        self._inner = inner
        inner.makeConnection(self.transport)
        unread, self._unread = self._unread, b""
        self.transport.resumeProducing()
        if unread:
            inner.dataReceived(unread)
        return inner  # type: ignore[no-any-return]

    def abandon(self) -> None:
        """Nobody wants it."""
        if self.transport is not None and not self.lost:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted calls it
        """For the application, as soon as there is one."""
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._unread += data
        if len(self._unread) > UNREAD:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # noqa: N802
        """It is over."""
        self.lost = True
        self.goodbye = reason.check(ConnectionDone) is not None
        self._failed(reason.value)
        if self._inner is not None:
            self._inner.connectionLost(reason)
            self._told(self, self.why or words(reason.value))

    def _failed(self, error: BaseException | None) -> None:
        if not self.ready.called:
            self.ready.errback(Failure(error or ConnectionError("it hung up")))


def words(error: BaseException | None) -> str:
    """What an error says, for people."""
    if isinstance(error, TookTooLong):
        return "it took too long: no connection, or no TLS on it"
    return str(error) or type(error).__name__
