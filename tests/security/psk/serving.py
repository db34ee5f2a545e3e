"""A TLS listener and clients on the loopback, for tests with real sockets."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.security.psk import tls

#: Seconds until a test with real sockets or programs is given up.
PATIENCE = 20


@implementer(IHandshakeListener)
class Talk(Protocol):
    """
    One connection: says something at once, and notes what came and what was proven.

    :ivar enough: after so many octets it has heard enough, and closes.
    :ivar over: fires with itself when the connection has ended.
    """

    def __init__(self, first: bytes, answer: bytes, enough: int, reactor: Any) -> None:
        self.first, self.answer, self.enough = first, answer, enough
        self.reactor = reactor
        self.got = b""
        self.evidence: tls.Evidence | None = None
        self.failure: tuple[tls.Reason, str | None, str] | None = None
        self.over: Deferred[Talk] = Deferred()

    def connectionMade(self) -> None:
        """Twisted says so before the handshake has begun."""
        self.late = self.reactor.callLater(PATIENCE / 2, self.transport.abortConnection)
        if self.first:
            self.transport.write(self.first)

    def handshakeCompleted(self) -> None:
        """TLS has proven what it can."""
        self.evidence = tls.authentication(self.transport.getHandle(), "127.0.0.1")
        if self.answer:
            self.transport.write(self.answer)
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Note what has come."""
        self.got += data
        if self.enough and len(self.got) >= self.enough:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Tell how it ended."""
        if self.late.active():
            self.late.cancel()
        if self.evidence is None:
            self.failure = tls.handshake_failure(self.transport.getHandle(), reason.value)
        over, self.over = self.over, Deferred()
        over.callback(self)


class Talks(Factory):
    """Makes one end of each connection; `next` fires with the one that ends next."""

    noisy = False

    def __init__(
        self, reactor: Any, first: bytes = b"", answer: bytes = b"", enough: int = 0
    ) -> None:
        self.reactor, self.first, self.answer = reactor, first, answer
        self.enough = enough
        self.next: Deferred[Talk] = Deferred()

    def buildProtocol(self, addr: object) -> Talk:
        """Make one."""
        talk = Talk(self.first, self.answer, self.enough, self.reactor)
        talk.over.addCallback(self._ended)
        return talk

    def _ended(self, talk: Talk) -> None:
        ended, self.next = self.next, Deferred()
        ended.callback(talk)


def listen(reactor: Any, creator: Any, talks: Talks) -> Any:
    """Listen on a port of the kernel's choice; return the port."""
    factory = TLSMemoryBIOFactory(creator, False, talks, reactor)
    return reactor.listenTCP(0, factory, interface="127.0.0.1")
