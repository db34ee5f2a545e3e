"""
The registrar: events in, effects out (RFC 5352 as the server's side).

Pure: time is an argument, randomness is given, and what must be done is returned.
Messages arrive as bytes, because most of them are answered from bytes; the others are
decoded and go to the procedure of their type.
"""

from collections.abc import Callable, Sequence

from rserpool.handlespace.handlespace import Handlespace
from rserpool.registrar import keepalive, membership, updates
from rserpool.registrar.counters import Counters
from rserpool.registrar.effects import Close, Effect, Send, Serve
from rserpool.registrar.events import Channel
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.membership import Membership
from rserpool.registrar.registration import Registration
from rserpool.registrar.reports import Reports
from rserpool.registrar.resolution import Resolution
from rserpool.registrar.settings import Settings
from rserpool.registrar.share import Random, Share
from rserpool.security.interfaces import IGate
from rserpool.wire import asap
from rserpool.wire.causes import Cause, InvalidValues
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import OperationError

#: Takes the channel, the message as bytes and the time; None means: decode it.
Shortcut = Callable[[Channel, bytes, float], bytes | None]

#: Octets of an offending parameter that go back in an error: the whole of it would not
#: fit beside what an Operation Error adds.
MAXIMUM_QUOTE = 60_000


class Registrar:
    """
    One registrar, without any idea of sockets or clocks.

    :param targets: the other registrars that it is told of (RFC 5353 section 3.2.2.1).
    """

    def __init__(
        self,
        server_id: int,
        settings: Settings,
        handlespace: Handlespace,
        gate: IGate,
        random: Random,
        *,
        targets: Sequence[str] = (),
    ) -> None:
        share = Share(server_id, settings, handlespace, gate, random)
        self._share = share
        self._keep_alive = KeepAlive(share)
        self._resolution = Resolution(share)
        self._updates = self._resolution.updates
        self._membership = Membership(share, self._keep_alive, self._updates)
        self._registration = Registration(share, self._membership)
        self._bad: dict[Channel, int] = {}
        reports = Reports(share, self._keep_alive, self._membership)
        self._shortcuts: dict[int, Shortcut] = {
            0x01: self._registration.renewed,
            0x05: self._resolution.asked,
        }
        # A procedure takes the channel, the message as bytes and as value, and the time;
        # its answer goes back by the same channel.
        self._procedures: dict[type, Callable[..., bytes]] = {
            asap.Registration: self._registration.register,
            asap.Deregistration: self._registration.deregister,
            asap.HandleResolution: self._resolution.resolve,
            asap.EndpointUnreachable: reports.reported,
            asap.EndpointKeepAliveAck: self._acknowledged,
        }
        self._alarms: dict[str, Callable[[float], None]] = {
            keepalive.ALARM: self._keep_alive_due,
            membership.ALARM: self._membership.expire,
            updates.ALARM: self._updates_due,
        }

    @property
    def server_id(self) -> int:
        """This registrar's identifier (RFC 5353 section 3.2.1)."""
        return self._share.server_id

    @property
    def counters(self) -> Counters:
        """What it has done so far."""
        return self._share.counters

    @property
    def handlespace(self) -> Handlespace:
        """Its database."""
        return self._share.handlespace

    @property
    def serving(self) -> bool:
        """Whether the handlespace is complete: pool elements and users may come in."""
        return True

    def start(self, now: float) -> list[Effect]:
        """Begin: look for the other registrars (RFC 5353 section 3.2)."""
        return [Serve()]

    def connected(self, channel: Channel, now: float) -> list[Effect]:
        """A connection with another registrar is up, by whichever side."""
        return []

    def unreachable(self, target: str, now: float) -> list[Effect]:
        """A `Dial` has failed."""
        return []

    def arrived(self, channel: Channel, messages: list[bytes], now: float) -> list[Effect]:
        """Whole messages have come by `channel`; the answers to it are one effect."""
        answers = []
        shortcuts = self._shortcuts
        for data in messages:
            shortcut = shortcuts.get(data[0])
            answer = None if shortcut is None else shortcut(channel, data, now)
            answers.append(self._arrived(channel, data, now) if answer is None else answer)
        effects: list[Effect] = []
        joined = b"".join(answers)
        if joined:
            effects.append(Send(channel, joined))
        if self._share.effects:
            effects += self._share.taken()
        return effects

    def lost(self, channel: Channel, now: float) -> list[Effect]:
        """`channel` is gone."""
        self._bad.pop(channel, None)
        self._updates.lost(channel)
        self._membership.lost(channel, now)
        return self._share.taken()

    def rang(self, name: str, now: float) -> list[Effect]:
        """A timer has rung."""
        self._share.alarms.rang(name)
        self._alarms[name](now)
        return self._share.taken()

    def _arrived(self, channel: Channel, data: bytes, now: float) -> bytes:
        try:
            decoded = asap.decode(data)
        except WireError as error:
            return self._malformed(channel, error)
        answer = b""
        message = decoded.message
        if message is not None:
            procedure = self._procedures.get(type(message))
            if procedure is None:
                # It is for elements or users; an ASAP_ERROR is never answered.
                self._share.counters.unexpected_messages += 1
            else:
                answer = procedure(channel, data, message, now)
        if decoded.report and not isinstance(message, asap.Error):
            self._blame(channel)
            answer += _error(decoded.report)
        return answer

    def _malformed(self, channel: Channel, error: WireError) -> bytes:
        self._share.counters.bad_messages += 1
        self._blame(channel)
        return _error((InvalidValues(parameter=error.tlv[:MAXIMUM_QUOTE]),))

    def _blame(self, channel: Channel) -> None:
        """One more error was this channel's; too many end it."""
        count = self._bad.get(channel, 0) + 1
        self._bad[channel] = count
        if count == self._share.settings.bad_messages_per_channel:
            self._share.emit(Close(channel, f"{count} messages that can't be understood"))

    def _acknowledged(
        self, channel: Channel, data: bytes, message: asap.EndpointKeepAliveAck, now: float
    ) -> bytes:
        element = self._share.handlespace.find(message.handle, message.identifier)
        if element is None or element.channel is not channel:
            # Nobody answers for another (RFC 5352 section 3.4, KA2.3).
            self._share.counters.unexpected_messages += 1
        elif self._keep_alive.heard(element):
            self._share.counters.keep_alives_acknowledged += 1
        return b""

    def _keep_alive_due(self, now: float) -> None:
        counters = self._share.counters
        for element in self._keep_alive.due(now):
            if element.channel is None:
                counters.elements_lost += 1
                what, why = "element.lost", "its connection ended and it didn't come back"
            else:
                counters.elements_silent += 1
                what, why = "element.silent", "no answer to a keep-alive"
            self._membership.dismiss(element, what, why, now)

    def _updates_due(self, now: float) -> None:
        self._updates.due()


def _error(causes: tuple[Cause, ...]) -> bytes:
    return asap.encode(asap.Error(error=OperationError(causes=causes)))
