"""
Calling pool elements at their ASAP Transport, where they listen: one attempt for each `Reach`.

Only where the database is insecure: over such a connection an element could prove nothing.
"""

from collections import deque
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.client.call import Call
from rserpool.client.security import Plain
from rserpool.registrar.effects import Reach
from rserpool.security.decisions import Proof, Subject
from rserpool.service.session import Sessions
from rserpool.transport import endpoints
from rserpool.transport.watch import Watch
from rserpool.wire.transports import callable_at

#: Calls at a time, until each has been answered, and those that wait: a takeover may want
#: 100,000 of them.  Elements register the addresses, which may be anybody's: who doesn't answer
#: as an element gets no more of our sockets, nor we of its.
AT_ONCE, MAXIMUM_WAITING = 50, 100_000
#: Seconds until a connection, and then an answer, must have come.
TIMEOUT = 5.0


class Caller:
    """
    Calls elements, and gives their connections to the sessions of ASAP.

    :param watch: watches the connections.
    """

    _log = Logger(namespace="rserpool.service")

    def __init__(self, reactor: Any, sessions: Sessions, watch: Watch) -> None:
        self._reactor = reactor
        self._sessions = sessions
        self._watch = watch
        self._waiting: deque[Reach] = deque()
        self._calling: dict[Call, Reach] = {}
        self._reached: dict[Call, IDelayedCall] = {}
        self._next = 0

    def reach(self, effect: Reach) -> None:
        """Call, when there is room."""
        if where(effect) and len(self._waiting) < MAXIMUM_WAITING:
            self._waiting.append(effect)
            self._more()

    def stop(self) -> None:
        """Hang up everywhere."""
        self._waiting.clear()
        self._watch.stop()
        for timer in self._reached.values():
            if timer.active():
                timer.cancel()
        for call in {**self._calling, **self._reached}:
            call.hang_up()
        self._calling.clear()
        self._reached.clear()

    def reached(self, call: Call) -> None:
        """An element has answered."""
        effect, connection = self._calling.get(call), call.connection
        if effect is None or connection is None:
            call.hang_up()
            return
        self._reached[call] = self._reactor.callLater(
            TIMEOUT, connection.abort, "it doesn't answer"
        )
        self._watch.add(connection)
        self._watch.start()
        subject = Subject("plain", Proof.PLAIN, connection.address)
        self._sessions.called(connection, subject, reaches=effect.element)
        connection.write(effect.data)

    def failed(self, call: Call, words: str) -> None:
        """It isn't there."""
        effect = self._calling.pop(call, None)
        if effect is not None:
            self._log.debug("element {which} can't be called: {words}",
                            which=effect.element, words=words)  # fmt: skip
        self._more()

    def arrived(self, call: Call, messages: list[bytes]) -> None:
        """Messages have come from an element that was called."""
        timer = self._reached[call]
        if timer.active():
            timer.cancel()
        if self._calling.pop(call, None) is not None:
            self._more()
        if call.connection is not None:
            self._sessions.arrived(call.connection, messages)

    def lost(self, call: Call, words: str) -> None:
        """A connection has ended."""
        timer = self._reached.pop(call, None)
        if timer is not None and timer.active():
            timer.cancel()
        if timer is not None and call.connection is not None:
            self._watch.connections.discard(call.connection)
            self._sessions.lost(call.connection, Failure(ConnectionError(words)))
        self.failed(call, words)

    def _more(self) -> None:
        while self._waiting and len(self._calling) < AT_ONCE:
            effect = self._waiting.popleft()
            description = where(effect)
            self._next += 1
            call = Call(self, self._next, Plain(), description)
            self._calling[call] = effect
            call.dial(
                self._reactor, endpoints.client(self._reactor, description, TIMEOUT), None
            )


def where(effect: Reach) -> str:
    """Where an element listens, as an endpoint; empty: nowhere that can be called."""
    return callable_at(effect.transport)
