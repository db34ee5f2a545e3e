"""
Calling pool elements at their ASAP Transport, where they listen: one attempt for each `Reach`.

Only where the database is insecure: over such a connection an element could prove nothing.
"""

from collections import deque
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.client.call import Call
from rserpool.client.security import Plain
from rserpool.registrar.effects import Reach
from rserpool.security.decisions import Proof, Subject
from rserpool.service.session import Sessions
from rserpool.transport import endpoints
from rserpool.wire.parameters import TCPTransport

#: Calls at a time, and those that wait: a takeover may want 100,000 of them.
AT_ONCE, MAXIMUM_WAITING = 50, 100_000
#: Seconds that one may take.
TIMEOUT = 5.0


class Caller:
    """Calls elements, and gives their connections to the sessions of ASAP."""

    _log = Logger(namespace="rserpool.service")

    def __init__(self, reactor: Any, sessions: Sessions) -> None:
        self._reactor = reactor
        self._sessions = sessions
        self._waiting: deque[Reach] = deque()
        self._calling: dict[Call, Reach] = {}
        self._reached: set[Call] = set()
        self._next = 0

    def reach(self, effect: Reach) -> None:
        """Call, when there is room."""
        if isinstance(effect.transport, TCPTransport) and len(self._waiting) < MAXIMUM_WAITING:
            self._waiting.append(effect)
            self._more()

    def stop(self) -> None:
        """Hang up everywhere."""
        self._waiting.clear()
        for call in [*self._calling, *self._reached]:
            call.hang_up()
        self._calling.clear()
        self._reached.clear()

    def reached(self, call: Call) -> None:
        """An element has answered."""
        effect = self._calling.pop(call, None)
        if effect is None or call.connection is None:
            call.hang_up()
            return
        self._reached.add(call)
        subject = Subject("plain", Proof.PLAIN, call.connection.address)
        self._sessions.called(call.connection, subject, reaches=effect.element)
        call.connection.write(effect.data)
        self._more()

    def failed(self, call: Call, words: str) -> None:
        """It isn't there."""
        effect = self._calling.pop(call, None)
        if effect is not None:
            self._log.debug("element {which} can't be called: {words}",
                            which=effect.element, words=words)  # fmt: skip
        self._more()

    def arrived(self, call: Call, messages: list[bytes]) -> None:
        """Messages have come from an element that was called."""
        if call.connection is not None:
            self._sessions.arrived(call.connection, messages)

    def lost(self, call: Call, words: str) -> None:
        """A connection has ended."""
        if call in self._reached:
            self._reached.discard(call)
            if call.connection is not None:
                self._sessions.lost(call.connection, Failure(ConnectionError(words)))
        else:
            self.failed(call, words)

    def _more(self) -> None:
        while self._waiting and len(self._calling) < AT_ONCE:
            effect = self._waiting.popleft()
            assert isinstance(effect.transport, TCPTransport)
            address = str(effect.transport.addresses[0])
            host = f"[{address}]" if ":" in address else address
            description = f"tcp:{host}:{effect.transport.port}"
            self._next += 1
            call = Call(self, self._next, Plain(), description)
            self._calling[call] = effect
            call.dial(
                self._reactor, endpoints.client(self._reactor, description, TIMEOUT), None
            )
