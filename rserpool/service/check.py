"""Does the service answer?  Asked by the wrapper, which registers it only while it does."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.web.client import Agent, HTTPConnectionPool, readBody

#: Seconds that the service may take to answer; a longer silence is a failure.
TIMEOUT = 5.0
#: Asks once; the Deferred fires with what is wrong, or with nothing.
Check = Callable[[], "Deferred[str]"]


def check(reactor: Any, kind: str, host: str, port: int) -> Check:
    """
    Make a check: ``tcp``, ``http:PATH`` or ``none``.

    :raise ValueError: there is no such check.
    """
    name, _, path = kind.partition(":")
    if kind == "none":
        return lambda: succeed("")
    if kind == "tcp":
        return lambda: _tcp(reactor, host, port)
    if name == "http" and path.startswith("/"):
        return lambda: _http(reactor, host, port, path)
    raise ValueError(f"{kind!r} isn't a check: write tcp, http:/PATH or none")


def _tcp(reactor: Any, host: str, port: int) -> "Deferred[str]":
    endpoint = HostnameEndpoint(reactor, host, port, timeout=TIMEOUT)
    asked: Deferred[Any] = endpoint.connect(Factory.forProtocol(Protocol))

    def reached(protocol: Any) -> str:
        protocol.transport.loseConnection()
        return ""

    return asked.addCallbacks(reached, lambda failure: failure.getErrorMessage())


def _http(reactor: Any, host: str, port: int, path: str) -> "Deferred[str]":
    agent = Agent(reactor, connectTimeout=TIMEOUT, pool=HTTPConnectionPool(reactor, False))
    literal = f"[{host}]" if ":" in host else host
    asked: Deferred[Any] = agent.request(b"GET", f"http://{literal}:{port}{path}".encode())

    def answered(response: Any) -> "Deferred[str]":
        words = "" if response.code < 400 else f"HTTP status {response.code}"
        read: Deferred[Any] = readBody(response)
        return read.addBoth(lambda _: words)

    asked.addCallback(answered)
    asked.addTimeout(TIMEOUT, reactor)
    return asked.addErrback(lambda failure: failure.getErrorMessage())
