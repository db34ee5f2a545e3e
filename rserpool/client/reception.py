"""
Where registrars call a pool element: at the port from which it calls them.

Note [One port]

The ASAP Transport of an element that names none is its end of the association by which it
registers (RFC 5352 section 3.1 rule 4), and there it is called: to be kept alive, or to be told
that its home was taken over.  So it listens at one port, and calls from it.  TCP has no such
thing: an element that came by TCP comes back by itself.

Note [Anybody]

Only where nobody proves anything: a caller that says that it is home could be anybody, as could
the home itself.  In a secure scope nobody calls an element.
"""

from collections.abc import Callable
from typing import Any
from typing import Protocol as Shape

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from rserpool.security.budgets import Rate
from rserpool.transport import endpoints
from rserpool.transport.allowance import Allowance, ConnectionLimits
from rserpool.transport.connection import Connection
from rserpool.transport.listener import Listener
from rserpool.transport.sctp.endpoints import calling_from
from rserpool.transport.sctp.payload import Payload
from rserpool.transport.watch import Patience

#: Registrars that may have called at once, and new ones each second: a scope has some of them,
#: and one that isn't home has no business for long.  Stops callers from taking the sockets that
#: the service needs.
MOST_VISITORS, VISITS = 16, Rate(2.0, 16.0)
#: Seconds after which a silent one is hung up on; a home asks more often.
IDLE = 120.0


class Host(Shape):
    """Who receives them: the link."""

    def visited(self, visitor: "Visitor", messages: list[bytes]) -> None:
        """Messages have come from a registrar that has called."""

    def left(self, visitor: "Visitor", words: str) -> None:
        """It has hung up."""


class Visitor:
    """A registrar that has called; for the link the same as one that was called."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def hang_up(self) -> None:
        """End it, when what was written has gone out."""
        self.connection.close("it isn't needed any more")

    def cut_off(self, reason: str) -> None:
        """End it now."""
        self.connection.abort(reason)

    def __str__(self) -> str:
        hosts = ",".join(
            f"[{host}]" if ":" in host else host for host in sorted(self.connection.addresses)
        )
        return f"sctp:{hosts}:{self.connection.port}"


class Reception:
    """
    Receives registrars for an element.

    :param trouble: told why it can't.
    """

    def __init__(self, reactor: Any, trouble: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._trouble = trouble
        self._host: Host | None = None
        self._visitors: dict[Connection, Visitor] = {}
        limits = ConnectionLimits(
            connections=MOST_VISITORS, connections_per_address=0, rate=VISITS
        )
        self._listener = Listener(
            self, Allowance(limits, reactor.seconds), Patience(idle=IDLE), clock=reactor
        )
        self._port = 0

    def open(self, host: Host) -> None:
        """Listen, at any port."""
        self._host = host
        endpoint = endpoints.server(self._reactor, "sctp:0", Payload.ASAP)
        self._listener.listen(endpoint).addCallbacks(self._opened, self._failed)

    def close(self) -> "Deferred[object]":
        """Listen no more, and hang up."""
        self._host, self._port = None, 0
        return maybeDeferred(self._listener.stop)

    def from_here(self, endpoint: IStreamClientEndpoint) -> IStreamClientEndpoint:
        """The same endpoint, called from the port that is listened on."""
        return calling_from(endpoint, (), self._port) if self._port else endpoint

    def opened(self, connection: Connection) -> None:
        """A registrar has called."""
        self._visitors[connection] = Visitor(connection)

    def arrived(self, connection: Connection, messages: list[bytes]) -> None:
        """It has said something."""
        if self._host is not None:
            self._host.visited(self._visitors[connection], messages)

    def lost(self, connection: Connection, reason: Failure) -> None:
        """It has gone."""
        visitor = self._visitors.pop(connection, None)
        if visitor is not None and self._host is not None:
            self._host.left(visitor, "the connection was lost")

    def _opened(self, port: Any) -> None:
        self._port = port.getHost().port

    def _failed(self, failure: Failure) -> None:
        error: Any = getattr(failure.value, "socketError", failure.value)
        words = getattr(error, "strerror", None) or str(error)
        self._trouble(f"no registrar can call this element: {words}")
