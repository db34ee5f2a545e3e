"""
A connection to a pool, whoever of its elements serves it.

.. code-block:: python

    connection = PoolConnection(
        reactor,
        user,
        b"web",
        factory,
        security=lambda element: Certified(ca="ca.pem", name="web.example"),
        approve=lambda failover: failover.now.name == failover.before.name,
    )
    protocol = await connection.start()
    ...
    connection.stop()

When the element fails, the next one is connected to, and the factory builds the application's
protocol anew: what it had said to the old one is the application's to repeat.  Before that it
is told, and may refuse (:mod:`rserpool.client.failover`).
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
)
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from rserpool.client.causes import in_words
from rserpool.client.drawing import Drawn, Draws, Exhausted
from rserpool.client.failover import Failover, Standing, objection
from rserpool.client.line import Line, words
from rserpool.client.pool_user import NoAnswer, PoolUser
from rserpool.client.resolution import Chooser
from rserpool.client.security import Security
from rserpool.wire.parameters import PoolElement, TCPTransport

Address = IPv4Address | IPv6Address
#: How an element has to prove itself at an address, and the TLS that is made for it.
Way = tuple[Security, IOpenSSLClientConnectionCreator | None]

#: Seconds that a connection to an element may take, its TLS included.
CONNECT_TIMEOUT = 5.0


class NoElement(Exception):
    """No element of the pool can be connected to; the message says what became of each."""


class NotTried(Exception):
    """An element wasn't called at all, for a reason on this side."""


class PoolConnection:
    """
    Connects to one element after another, until the application has had enough: it says so by
    `stop`, or by losing the connection itself.

    :param user: resolves; elements that fail are reported by it.
    :param factory: builds the application's protocol for each connection.
    :param security: how an element has to prove itself: never less than the application needs,
        since this is where an element that is an attacker's would begin.
    :param approve: asked before each failover; what isn't true, and an exception, is a veto,
        and the element after that is tried.  May answer with a Deferred.
    :param downgrade: allows a failover from TLS to none.
    :param ended: told why the connection is over, when it has been lost and no element is left.
    :param draws: by which elements are chosen, where the policy allows it, so that the element
        can be shown that it was chosen by chance (:mod:`rserpool.client.drawing`).
    :ivar proof: that of the element in use, when the factory builds the protocol that sends it;
        empty where there is none.
    """

    _log = Logger(namespace="rserpool.client")

    def __init__(
        self,
        reactor: Any,
        user: PoolUser,
        handle: bytes,
        factory: IProtocolFactory,
        security: Callable[[PoolElement], Security],
        *,
        approve: Callable[[Failover], Any] = lambda failover: True,
        downgrade: bool = False,
        ended: Callable[[NoElement], object] = lambda why: None,
        draws: Draws | None = None,
    ) -> None:
        self.handle = handle
        self.proof = b""
        self._draws = draws
        self.element: PoolElement | None = None
        self.standing: Standing | None = None
        self._user = user
        self._factory = factory
        self._security = security
        self._approve = approve
        self._downgrade = downgrade
        self._ended = ended
        self._reactor = reactor
        self._line: Line | None = None
        self._stopped = False

    def start(self) -> "Deferred[IProtocol]":
        """
        Connect to a first element.

        :return: the application's protocol; fails with `NoElement`.
        """
        return ensureDeferred(self._connect("", frozenset()))

    def stop(self) -> None:
        """Hang up; no failover follows."""
        self._stopped = True
        if self._line is not None:
            self._line.transport.loseConnection()

    def fail(self, why: str) -> None:
        """The application finds that the element doesn't work: go to another one."""
        if self._line is not None:
            self._line.why = why
            self._line.transport.abortConnection()

    async def _connect(self, why: str, without: frozenset[int]) -> IProtocol:
        troubles = [why] if why else []
        chooser = await self._chooser(without)
        while (element := chooser.choose()) is not None and not self._stopped:
            try:
                line, standing = await self._call(*self._way(element))
            except Exception as error:
                troubles.append(f"{_name(element)}: {words(error)}")
                chooser.failed(element.identifier)
                # Nobody but us has failed where nothing was tried (RFC 5352 section 3.5).
                if not isinstance(error, NotTried):
                    self._user.report(self.handle, element.identifier)
                continue
            refusal = await self._refusal(element, standing, why)
            if not refusal and not self._stopped and not line.lost:
                self.proof = chooser.proof() if isinstance(chooser, Drawn) else b""
                return self._taken(element, standing, line)
            troubles.append(f"{_name(element)}: {refusal or 'it hung up'}")
            line.abandon()
            chooser.failed(element.identifier)
        raise NoElement("; ".join(troubles) or f"the pool {self.handle!r} has no elements")

    async def _chooser(self, without: frozenset[int]) -> Chooser | Drawn:
        try:
            found = await self._user.resolve(self.handle)
        except NoAnswer as error:
            raise NoElement(f"no registrar answers: {error}") from None
        if found.refusal is not None:
            raise NoElement(f"the registrar refuses: {in_words(found.refusal)}")
        if found.distrusted and not found.elements:
            one = found.distrusted[0]
            count = len(found.distrusted)
            raise NoElement(
                f"none of {count} elements has signed what the registrar tells of it; "
                f"{_name(one.element)}: {one.words}"
            )
        try:
            drawn = None if self._draws is None else self._draws.draw(found)
        except Exhausted as error:
            raise NoElement(str(error)) from None
        chooser = drawn or self._user.chooser(found)
        for identifier in without:
            chooser.failed(identifier)
        return chooser

    def _way(self, element: PoolElement) -> "tuple[TCPTransport, dict[Address, Way]]":
        """Where an element is called, and what TLS is made of for each address."""
        where = element.user_transport
        if not isinstance(where, TCPTransport) or not where.addresses:
            raise NotTried("it isn't reached by TCP")
        try:
            security = self._security(element)
            ways = {one: (security, security.creator(str(one))) for one in where.addresses}
        except Exception as error:
            raise NotTried(f"what it has to prove can't be told: {error}") from error
        return where, ways

    async def _call(
        self, where: TCPTransport, ways: "dict[Address, Way]"
    ) -> tuple[Line, Standing]:
        last: Exception = NotTried("it has no address")
        for address, (security, creator) in ways.items():
            line = Line(security, self._lost)
            wrapped = TLSMemoryBIOFactory(creator, True, line.factory) if creator else None
            kind = TCP4ClientEndpoint if address.version == 4 else TCP6ClientEndpoint
            endpoint = kind(self._reactor, str(address), where.port, CONNECT_TIMEOUT)
            try:
                await endpoint.connect(wrapped or line.factory)
                line.ready.addTimeout(CONNECT_TIMEOUT, self._reactor)
                return line, await line.ready
            except Exception as error:
                line.abandon()
                last = error
        raise last

    async def _refusal(self, element: PoolElement, standing: Standing, why: str) -> str:
        """Why this failover can't be; empty: it can, or it is none."""
        if self.element is None or self.standing is None:
            return ""
        failover = Failover(self.handle, self.element, element, why, self.standing, standing)
        refused = objection(failover, downgrade=self._downgrade)
        if refused:
            return refused
        try:
            agreed = await maybeDeferred(self._approve, failover)
        except Exception:
            self._log.failure("asked whether to fail over to {element}", element=_name(element))
            return "the application was asked, and failed"
        return "" if agreed is True else "the application refuses it"

    def _taken(self, element: PoolElement, standing: Standing, line: Line) -> IProtocol:
        self.element, self.standing, self._line = element, standing, line
        return line.begin(self._factory)

    def _lost(self, line: Line, why: str) -> None:
        """The connection in use has ended."""
        if line is not self._line or self._stopped or self.element is None:
            return
        self._line = None
        if line.transport.disconnecting and not line.why:
            self._stopped = True  # by the application itself
            return
        failed = self.element.identifier
        # One that hangs up in good order can be reached: many of its users would else have it
        # removed, just because it is restarted or has no patience with who is idle.
        if line.why or not line.goodbye:
            self._user.report(self.handle, failed)
        again = ensureDeferred(self._connect(why, frozenset({failed})))
        again.addErrback(self._over)

    def _over(self, failure: Failure) -> None:
        if not self._stopped:
            self._ended(
                failure.value
                if isinstance(failure.value, NoElement)
                else NoElement(failure.getErrorMessage())
            )


def _name(element: PoolElement) -> str:
    return f"element {element.identifier:#010x}"
