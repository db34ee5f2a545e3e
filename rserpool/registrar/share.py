"""What all procedures of one registrar share."""

from typing import Protocol

import attrs

from rserpool.handlespace.handlespace import Handlespace
from rserpool.registrar.alarms import Alarms
from rserpool.registrar.counters import Counters
from rserpool.registrar.effects import Audit, Effect, Rest, Send
from rserpool.registrar.events import Channel
from rserpool.registrar.settings import Settings
from rserpool.security.decisions import LIMITS, Decision, Request
from rserpool.security.interfaces import IGate
from rserpool.wire import enrp


class Random(Protocol):
    """A source of numbers in [0, 1), given from outside."""

    def random(self) -> float:
        """Return the next one."""


@attrs.define(eq=False)
class Share:
    """The registrar's identity, its database, whom to ask, and the effects so far."""

    server_id: int
    settings: Settings
    handlespace: Handlespace
    gate: IGate
    random: Random
    counters: Counters = attrs.field(factory=Counters)
    effects: list[Effect] = attrs.field(factory=list)
    #: Connections to registrars that are told of changes, and what they must be told.
    peers: dict[int, Channel] = attrs.field(factory=dict)
    announcements: list[bytes] = attrs.field(factory=list)
    alarms: Alarms = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.alarms = Alarms(self.emit)

    def emit(self, effect: Effect) -> None:
        """One more thing to be done."""
        self.effects.append(effect)

    def announce(self, message: bytes) -> None:
        """Tell all peers; one event's messages go out together (RFC 5353 section 3.1)."""
        if self.peers:
            self.announcements.append(message)

    def tell(self, channel: Channel, message: object) -> None:
        """Tell one peer, after whatever all were told before."""
        self.flush()
        data = message if isinstance(message, bytes) else enrp.encode(message)
        self.emit(Send(channel, data))

    def flush(self) -> None:
        """Let go what is announced: encoded once, the same octets for each peer."""
        if self.announcements:
            named = self.settings.interop.update_receiver
            messages, joined = list(self.announcements), b"".join(self.announcements)
            self.announcements.clear()
            for identifier, channel in self.peers.items():
                octets = _addressed(messages, identifier) if named else joined
                self.emit(Send(channel, octets))

    def taken(self) -> list[Effect]:
        """The effects since the last call."""
        self.flush()
        effects, self.effects = self.effects, []
        return effects

    def refused(
        self,
        what: str,
        channel: Channel,
        request: Request,
        why: Decision | str,
        identifier: int | None,
    ) -> None:
        """
        Write down a refusal: the peer learns the cause code, the operator why.

        :param why: the gate's decision, or an invariant that no rule can lift.
        """
        reason, rule = (why, "") if isinstance(why, str) else (why.reason, why.source)
        if not isinstance(why, str) and why.by == LIMITS:
            self.emit(Rest(channel))
        action = request.permission
        subject = channel.subject
        self.emit(Audit(what, subject, request.pool, identifier, reason, action, rule))

    def ask(self, channel: Channel, request: Request, now: float) -> Decision:
        """The one place where the security layer is asked."""
        return self.gate.ask(channel.subject, request, now)


def _addressed(messages: list[bytes], receiver: int) -> bytes:
    """The same messages, with the ID of who gets them."""
    octets = receiver.to_bytes(4, "big")
    return b"".join([message[:8] + octets + message[12:] for message in messages])
