"""Does the service answer?  Asked by the wrapper, which registers it only while it does."""

from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

#: Seconds that the service may take to answer; a longer silence is a failure.
TIMEOUT = 5.0
#: Checks in a row that must fail before the service is taken out of its pool: a single lost
#: packet isn't an end.  One that holds brings it back.
FAILURES = 2
#: Of an answer so many octets are let pass, and for so many seconds after its status: a page
#: without end must not keep a check busy.
LONGEST_ANSWER, LONGEST_GOODBYE = 1_000_000, 1.0
#: Asks once; the Deferred fires with what is wrong, or with nothing.
Check = Callable[[], "Deferred[str]"]


class Health:
    """
    Whether the service works, as its checks tell.

    One success is enough to say yes, `failures` in a row to say no.

    :ivar works: None before the first check.
    """

    def __init__(self, failures: int = FAILURES) -> None:
        self.works: bool | None = None
        self._failures = failures
        self._failed = 0

    def seen(self, wrong: str) -> bool:
        """Take in a check; True: it has changed whether the service works."""
        self._failed = self._failed + 1 if wrong else 0
        if wrong and self.works and self._failed < self._failures:
            return False
        return self._is(not wrong)

    def died(self) -> bool:
        """The service is known to be dead, without any check; True: it worked before."""
        return self._is(works=False)

    def _is(self, works: bool) -> bool:
        changed = self.works is not works
        self.works = works
        return changed


def check(reactor: Any, kind: str, host: str, port: int, timeout: float = TIMEOUT) -> Check:
    """
    Make a check: ``tcp``, ``http:PATH`` or ``none``.

    ``tcp`` holds when a connection comes about, ``http:PATH`` when a GET of that path is
    answered with a status under 400.

    :raise ValueError: there is no such check.
    """
    name, _, path = kind.partition(":")
    if kind == "none":
        return lambda: succeed("")
    if kind == "tcp":
        return lambda: _ask(reactor, host, port, timeout, None)
    if name == "http" and path.startswith("/") and path.isascii() and path.isprintable():
        if " " not in path:
            literal = f"[{host}]" if ":" in host else host
            lines = [f"GET {path} HTTP/1.1", f"Host: {literal}:{port}", "Connection: close"]
            request = "\r\n".join([*lines, "User-Agent: rserpool-pe", "", ""]).encode()
            return lambda: _ask(reactor, host, port, timeout, request)
        raise ValueError(f"{kind!r}: write a space in a path as %20")
    raise ValueError(f"{kind!r} isn't a check: write tcp, http:/PATH or none")


def _ask(
    reactor: Any, host: str, port: int, timeout: float, request: bytes | None
) -> "Deferred[str]":
    """Connect, ask if there is something to ask, and hang up."""
    factory: Any = Factory.forProtocol(Protocol if request is None else _Status)
    factory.noisy = False
    asked: Deferred[Any] = HostnameEndpoint(reactor, host, port, timeout=timeout).connect(
        factory
    )

    def reached(protocol: Any) -> Any:
        if request is not None:
            answer: Deferred[str] = protocol.ask(reactor, request)
            return answer
        protocol.transport.loseConnection()
        return ""

    def failed(failure: Failure) -> str:
        if failure.check(error.ConnectionRefusedError):
            return f"nobody listens on {host} port {port}"
        return failure.getErrorMessage()

    asked.addCallback(reached)
    asked.addTimeout(timeout, reactor, lambda *_: f"no answer within {timeout:g} seconds")
    return asked.addErrback(failed)


class _Status(LineOnlyReceiver):
    """
    Reads the status line of an HTTP answer, and lets the rest of it pass.

    Hanging up in the middle would leave a complaint in the service's own log at each check.
    """

    MAX_LENGTH = 1024  # octets; a status line is shorter

    transport: Any

    def __init__(self) -> None:
        self._answer: Deferred[str] = Deferred(lambda _: self.transport.abortConnection())
        self._wrong: str | None = None
        self._interim = False
        self._rest = 0
        self._timer: IDelayedCall | None = None
        self._reactor: Any = None

    def ask(self, reactor: Any, request: bytes) -> "Deferred[str]":
        """Send the request; what is wrong with the answer comes back when it is over."""
        self._reactor = reactor
        self.transport.write(request)
        return self._answer

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Look for the status; after it, only count."""
        if self._wrong is None:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        self._rest += len(data)
        if self._rest > LONGEST_ANSWER:
            self.transport.abortConnection()

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read the status; an interim answer (1xx) and its headers are skipped."""
        version, _, status = line.partition(b" ")
        if self._wrong is not None:
            return
        if version.startswith(b"HTTP/") and status[:3].isdigit():
            if status.startswith(b"1"):
                self._interim = True
            else:
                bad = status >= b"400"
                self._tell(f"HTTP status {status[:3].decode()}" if bad else "")
        elif not self._interim:
            self._tell("it doesn't speak HTTP")

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Whatever this is, it isn't a status line."""
        self._tell("it doesn't speak HTTP")

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008,N802
        """It has hung up, as it was asked to."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if not self._answer.called:
            wrong = self._wrong
            self._answer.callback("it hung up without an answer" if wrong is None else wrong)

    def _tell(self, wrong: str) -> None:
        if self._wrong is None:
            self._wrong = wrong
            abort = self.transport.abortConnection
            self._timer = self._reactor.callLater(LONGEST_GOODBYE, abort)
