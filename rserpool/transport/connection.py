"""
One connection: bytes in, whole messages out, within bounds of time and memory.

Note [Back-pressure]

Answers are longer than requests, so a peer that asks and doesn't read could fill our
memory.  When the transport has more to send than it likes, it says so (it treats us as its
producer), and we stop reading from that peer until it has drained.  What was read already
is served in chunks, each only when the one before it found room.  A peer that doesn't drain
in time is cut off.

Two registrars both tell each other things without asking.  If each stopped reading until
the other had drained, both could wait for ever; so an `unasked` connection is read all the
same, and only the bound of what may wait holds, for which answers count as well.

Note [Turns]

Who sends thousands of requests at once is served a chunk of them in each turn of the event
loop, so that others have theirs in between.  Who is over a limit rests: nothing is read from
it for a while, and then a few messages are served, each of which may make it rest again.  So
a flood beyond a limit costs next to nothing, and its answers come all the same, only later.
"""

from collections.abc import Callable
from typing import Any
from typing import Protocol as Shape

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.security.certificate.refusal import openssl_words
from rserpool.security.credentials import Evidence
from rserpool.security.psk.tls import NotAuthenticated, authentication, forget
from rserpool.transport.direct import tune
from rserpool.transport.distance import smoothed
from rserpool.wire.errors import BadLength
from rserpool.wire.framing import Splitter

#: Messages served in one go.  Each may be answered by 64 KiB: with more of them a single
#: read of small requests could be answered by a quarter of a gigabyte.
CHUNK = 64
#: The same for one that has rested, and how many seconds it rests.
CHUNK_AFTER_REST, REST = 8, 0.5
#: Octets that may wait for a peer that is told things without asking (keep-alives and
#: updates), beyond which it is cut off.
MAXIMUM_UNSENT = 4 * 1024 * 1024
#: The same for a registrar, which is told of every change: 100,000 elements are 20 MiB.
MAXIMUM_UNSENT_TO_REGISTRAR = 64 * 1024 * 1024


class Receiver(Shape):
    """Who is told what happens on connections."""

    def opened(self, connection: "Connection") -> None:
        """The connection is up, TLS and all; nothing has been read from it yet."""

    def arrived(self, connection: "Connection", messages: list[bytes]) -> None:
        """Whole messages have come, each with its padding."""

    def lost(self, connection: "Connection", reason: Failure) -> None:
        """The connection is gone; `opened` may not have been called."""


@implementer(IHandshakeListener, IPushProducer)
class Connection(Protocol):
    """
    One connection.

    :ivar address, port: the peer's; an IPv4 address in IPv6 clothes is given as IPv4.
    :ivar evidence: what TLS proved, once it has; None on a plain connection.
    :ivar unasked: both sides send without being asked: see Note [Back-pressure].
    :ivar unsent: octets that may wait for a peer that doesn't read.
    :ivar active: when something last came or went, by the clock of its listener.
    :ivar stalled: since when the peer has not been reading, or None.
    :ivar ending: since when it has been closing, or None.
    :ivar farewell: why we have ended it; empty: we have not.
    :ivar on_addresses: told when `addresses` are others than before.
    :ivar broken: what TLS said of octets that it couldn't take for the peer's; empty: nothing.
    """

    _log = Logger(namespace="rserpool.transport")
    transport: Any  # TCP, or TLS over it: with what Twisted's interfaces don't promise

    def __init__(
        self,
        receiver: Receiver,
        address: str,
        port: int,
        secure: bool,
        clock: IReactorTime | None = None,
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._turn: IDelayedCall | None = None
        self._rested = False
        self._splitter = Splitter()
        self._waiting: list[bytes] = []
        self._holding = False
        self._full = False
        self._ended = False
        self.secure = secure
        self.ready = False
        self.address = address
        self.port = port
        self.evidence: Evidence | None = None
        self.unasked = False
        self.unsent = MAXIMUM_UNSENT
        self.since = 0.0
        self.active = 0.0
        self.touched = True
        self.stalled: float | None = None
        self.ending: float | None = None
        self.farewell = ""
        self.on_addresses: Callable[[], None] = _nobody
        self.broken = ""

    def connectionMade(self) -> None:  # noqa: N802 - Twisted calls it
        """The transport is up; with TLS the handshake is still to come."""
        tune(self.transport)
        self.transport.registerProducer(self, True)
        if not self.secure:
            self._open()

    def handshakeCompleted(self) -> None:  # noqa: N802 - Twisted calls it
        """TLS has proven what it can."""
        try:
            self.evidence = authentication(self.transport.getHandle())
        except NotAuthenticated as error:
            self.abort(f"its handshake proves nothing: {error}")
        else:
            self._open()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted calls it
        """Cut into messages and serve them."""
        if self._ended:
            return  # it is on its way out: whatever it still sends is nothing to us
        self.touched = True
        try:
            messages = self._splitter.feed(data)
        except BadLength as error:
            self.abort(f"its messages can't be told apart any more: {error}")
            return
        self._take(messages)

    def messagesReceived(self, messages: list[bytes]) -> None:  # noqa: N802 - as Twisted's are
        """Serve what SCTP has delivered, message by message (RFC 5352 section 3.8)."""
        if not self._ended:
            self.touched = True
            self._take(messages)

    def addressesChanged(self) -> None:  # noqa: N802 - as Twisted's are
        """The peer has answered at other addresses than before: SCTP alone has several."""
        self.on_addresses()

    def _take(self, messages: list[bytes]) -> None:
        """Serve them, now or in turn."""
        if self._waiting or self._turn or self._stopped or len(messages) > CHUNK:
            self._waiting += messages
            self._serve()
        elif messages and not self._ended:
            self._receiver.arrived(self, messages)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008,N802
        """It is over."""
        if self.ready and isinstance(reason.value, SSL.Error):
            # RFC 5355 section 2.10: somebody should know when it happens.
            self.broken = openssl_words(reason.value)
            self._log.warn(
                "{peer}: what came isn't what was sent: {words}", peer=self, words=self.broken
            )
        self._ended = True
        self._waiting.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._receiver.lost(self, reason)
        # Twisted's side of it holds us, and the reason the frames of a whole call: without
        # this only the garbage collector would free them, much later.
        if self.secure:
            forget(self.transport.getHandle())
        self.transport = None
        reason.cleanFailure()

    def write(self, data: bytes) -> None:
        """Send whole messages."""
        if not self._ended:
            self.touched = True
            self.transport.write(data)
            if self._full:
                self._unread(len(data))

    def hold(self) -> None:
        """Serve nothing until `release`: who the peer is isn't settled yet."""
        self._holding = True
        self._pause()

    def release(self) -> None:
        """Serve what has come meanwhile."""
        self._holding = False
        self._serve()

    def rest(self) -> None:
        """It is over a limit: serve nothing more for a while (see Note [Turns])."""
        if self._clock is not None and not self._ended:
            if self._turn is not None:
                self._turn.cancel()
            self._rested = True
            self._turn = self._clock.callLater(REST, self._next_turn)
            self._pause()

    def close(self, reason: str) -> None:
        """End it when what was written has gone out."""
        if not self._ended:
            self._log.info("{peer}: closed: {reason}", peer=self, reason=reason)
            self.farewell = reason
            self._ended = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self, reason: str) -> None:
        """End it now."""
        if not self._ended:
            self._log.info("{peer}: cut off: {reason}", peer=self, reason=reason)
            self.farewell = reason
            self._ended = True
            self.transport.abortConnection()

    def finish(self) -> None:
        """End what `close` has begun: the peer doesn't take part in it."""
        self.transport.abortConnection()

    def pauseProducing(self) -> None:  # noqa: N802 - the transport calls it
        """The transport has enough to send: see Note [Back-pressure]."""
        self._full = True
        self._pushed = 0
        if not self.unasked:
            self._pause()

    def resumeProducing(self) -> None:  # noqa: N802 - the transport calls it
        """The transport has room again."""
        self._full = False
        self.stalled = None
        self._serve()

    def stopProducing(self) -> None:  # noqa: N802 - the transport calls it
        """The transport is gone."""

    def rtt(self) -> float | None:
        """How long a message takes to the peer and back, in seconds; None: unknown."""
        return smoothed(self.transport)

    def __str__(self) -> str:
        return f"{self.address} port {self.port}"

    @property
    def addresses(self) -> frozenset[str]:
        """The peer's addresses: of SCTP, all at which it has answered."""
        return frozenset(_hosts(self.transport.getPeer()) or (self.address,))

    @property
    def sctp(self) -> bool:
        """Whether it is an association of SCTP."""
        return bool(_hosts(self.transport.getHost()))

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """Our own ones."""
        return _hosts(self.transport.getHost())

    @property
    def settled(self) -> bool:
        """Whether it is up, and who the peer is isn't waited for."""
        return self.ready and not self._holding

    @property
    def ended(self) -> bool:
        """Whether it is closed or about to be."""
        return self._ended

    @property
    def full(self) -> bool:
        """Whether the peer isn't reading what it is sent."""
        return self._full

    _pushed = 0

    @property
    def _stopped(self) -> bool:
        """Whether nothing more may be served for now."""
        return self._holding or (self._full and not self.unasked)

    def _open(self) -> None:
        self.ready = True
        self.touched = True
        self._receiver.opened(self)

    def _serve(self) -> None:
        while self._waiting and not (self._stopped or self._ended or self._turn):
            count = CHUNK_AFTER_REST if self._rested else CHUNK
            messages, self._waiting = self._waiting[:count], self._waiting[count:]
            self._rested = False
            self._receiver.arrived(self, messages)
            if self._clock is not None and self._waiting and self._turn is None:
                self._turn = self._clock.callLater(0, self._next_turn)
        if not (self._waiting or self._stopped or self._ended or self._turn):
            self.transport.resumeProducing()
        elif not self._ended:
            self._pause()

    def _next_turn(self) -> None:
        self._turn = None
        self._serve()

    def _pause(self) -> None:
        if not self._ended:
            self.transport.pauseProducing()

    def _unread(self, octets: int) -> None:
        self._pushed += octets
        if self._pushed > self.unsent:
            self.abort(f"it left {self._pushed} octets unread")


def _hosts(end: Any) -> tuple[str, ...]:
    """The addresses of one end."""
    hosts: tuple[str, ...] = getattr(end, "hosts", ())
    return hosts


def _nobody() -> None:
    """Nobody is told."""
