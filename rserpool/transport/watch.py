"""
Watching connections for time: who never proves itself, doesn't read, does nothing, never goes.

One sweep a second looks at all of them, instead of a timer for each.
"""

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from rserpool.transport.connection import Connection


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


class Watch:
    """
    The connections of one listener or caller.

    :ivar connections: those that are watched.
    """

    def __init__(self, patience: Patience, clock: IReactorTime) -> None:
        self.connections: set[Connection] = set()
        self._patience = patience
        self._clock = clock
        self._sweep = LoopingCall(self.sweep)
        self._sweep.clock = clock

    def start(self) -> None:
        """Look each second."""
        if not self._sweep.running:
            self._sweep.start(1.0, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._sweep.running:
            self._sweep.stop()

    def add(self, connection: Connection) -> None:
        """Watch one more, which begins now."""
        connection.since = connection.active = self._clock.seconds()
        self.connections.add(connection)

    def sweep(self) -> None:
        """Cut off who takes too long."""
        now = self._clock.seconds()
        for connection in list(self.connections):
            if connection.ended:
                # TLS waits for the peer's goodbye, which one may withhold for ever.
                connection.ending = connection.ending or now
                if now - connection.ending > self._patience.closing:
                    connection.finish()
            else:
                self._look(connection, now)

    def _look(self, connection: Connection, now: float) -> None:
        patience = self._patience
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
