"""
Calling other registrars: one attempt for each `Dial`.

When to call again is the core's to decide; here it is decided how: by which key or
certificate, and that who answers has proven to be who was meant.
"""

from collections.abc import Callable, Sequence
from typing import Any
from typing import Protocol as Shape

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.client.call import CALL_TIMEOUT
from rserpool.client.call import Call as Attempt
from rserpool.security.decisions import Subject
from rserpool.service.config import Peer
from rserpool.service.kinds import split_peer
from rserpool.service.material import Call
from rserpool.service.session import Sessions
from rserpool.transport import endpoints
from rserpool.transport.allowance import plain_address
from rserpool.transport.sctp.payload import Payload
from rserpool.transport.watch import Watch

#: Seconds in which a call that fails for the same reason isn't told again.
QUIET = 60.0
#: Targets for which that is remembered: in the course of time others tell us of any number.
MAXIMUM_REMEMBERED = 1000


class Material(Shape):
    """What says how to call."""

    def to_call(self, name: str | None, target: str) -> Call:
        """How the registrar of this name is called."""


class Dialler:
    """
    Calls registrars, and gives their connections to the sessions.

    :param peers: those that are configured: one that is told of by another registrar may be
        one of them.
    :param unreachable: told of each target that can't be called.
    :param watch: watches the connections: one that is closed and doesn't go, for one.
    :ivar source: options for endpoints of SCTP that don't say from where to call.
    :ivar on_unproven: told of who was called and hasn't proven to be who was meant: its name
        or target, its address, why.
    """

    _log = Logger(namespace="rserpool.service")

    def __init__(
        self,
        reactor: Any,
        sessions: Sessions,
        material: Material,
        peers: Sequence[Peer],
        *,
        unreachable: Any,
        watch: Watch,
    ) -> None:
        self._reactor = reactor
        self._sessions = sessions
        self._material = material
        # By address and port: others tell where a registrar is, and not its name.
        self._names: dict[tuple[str | None, int | None], str | None] = {}
        self._configured = {peer.target for peer in peers}
        for peer in peers:
            for host in endpoints.hosts_of(peer.endpoint):
                self._names[host, endpoints.port_of(peer.endpoint)] = peer.name
        self._unreachable = unreachable
        self.source = ""
        self.on_unproven: Callable[[str, str, str], None] = _nobody
        self._watch = watch
        self._calls: dict[Attempt, tuple[str, Call]] = {}
        self._told: dict[str, tuple[str, float]] = {}
        self._next = 0

    def dial(self, target: str) -> None:
        """Call, once."""
        name, endpoint = split_peer(target)
        if name is None:
            place = endpoints.host_of(endpoint), endpoints.port_of(endpoint)
            name = self._names.get(place)
        try:
            how = self._material.to_call(name, target)
            creator = how.security.creator(endpoints.host_of(endpoint) or "")
            payload = Payload.ENRP.under(creator is not None)
            text = self._sourced(endpoint)
            where = endpoints.client(self._reactor, text, CALL_TIMEOUT, payload)
        except (ValueError, OSError) as error:
            words = str(error)
            self._reactor.callLater(0, self._fail, target, words)
            return
        self._next += 1
        attempt = Attempt(self, self._next, how.security, endpoint)
        self._calls[attempt] = target, how
        attempt.dial(self._reactor, where, creator)

    def _sourced(self, endpoint: str) -> str:
        """The endpoint, with where to call from."""
        said = ":bindPort=" in endpoint or ":bindAddress=" in endpoint
        return endpoint if said or not endpoints.is_sctp(endpoint) else endpoint + self.source

    def stop(self) -> None:
        """Hang up everywhere."""
        self._watch.stop()
        calls, self._calls = self._calls, {}
        for attempt in calls:
            attempt.hang_up()

    def reached(self, call: Attempt) -> None:
        """A call came about, TLS and all."""
        if call not in self._calls or call.connection is None:
            call.hang_up()
            return
        connection = call.connection
        connection.address = plain_address(connection.address)
        self._watch.add(connection)
        self._watch.start()
        subject = maybeDeferred(self._calls[call][1].subject, connection)
        if not subject.called:
            connection.hold()
            self._sessions.limit(subject)
        subject.addCallbacks(
            self._settled, self._refused, callbackArgs=(call,), errbackArgs=(call,)
        )

    def _settled(self, subject: Subject, call: Attempt) -> None:
        connection = call.connection
        if call not in self._calls or connection is None or connection.ended:
            return
        target, _ = self._calls[call]
        self._told.pop(target, None)
        if target in self._configured:
            name, endpoint = split_peer(target)
            for host in connection.addresses:
                self._names[host, endpoints.port_of(endpoint)] = name
        self._log.info("connected with registrar {target}", target=target)
        self._sessions.called(connection, subject, dialled=target)
        connection.release()

    def _refused(self, failure: Failure, call: Attempt) -> None:
        """What it has shown is good for TLS, but not for us."""
        words = failure.getErrorMessage()
        call.unproven = True
        call.cut_off(words)
        if call.connection is not None:
            self._watch.connections.discard(call.connection)
        self.failed(call, words)

    def failed(self, call: Attempt, words: str) -> None:
        """A call has failed."""
        found = self._calls.pop(call, None)
        if found is not None:
            self._failed(call, found[0], words)

    def arrived(self, call: Attempt, messages: list[bytes]) -> None:
        """Messages have come."""
        if call.connection is not None:
            self._sessions.arrived(call.connection, messages)

    def lost(self, call: Attempt, words: str) -> None:
        """A connection has ended, or never came about."""
        found = self._calls.pop(call, None)
        if found is None:
            return
        target, _ = found
        connection = call.connection
        if connection is not None:
            self._watch.connections.discard(connection)
        if connection is not None and self._sessions.knows(connection):
            self._log.info(
                "the connection with registrar {target} has ended: {words}",
                target=target, words=words,
            )  # fmt: skip
            self._sessions.lost(connection, Failure(ConnectionError(words)))
        else:
            self._failed(call, target, words)

    def _failed(self, call: Attempt, target: str, words: str) -> None:
        """A call has come to nothing; if that was for want of a proof, say who it was."""
        if call.unproven and call.connection is not None:
            name, endpoint = split_peer(target)
            self.on_unproven(name or endpoint, call.connection.address, words)
        self._fail(target, words)

    def _fail(self, target: str, words: str) -> None:
        now = self._reactor.seconds()
        before = self._told.get(target)
        if before is None or before[0] != words or now - before[1] > QUIET:
            if len(self._told) >= MAXIMUM_REMEMBERED:
                self._told.clear()
            self._told[target] = words, now
            self._log.warn(
                "registrar {target} can't be reached: {words}", target=target, words=words
            )
        self._unreachable(target)


def _nobody(who: str, address: str, why: str) -> None:
    """Tell nobody."""
