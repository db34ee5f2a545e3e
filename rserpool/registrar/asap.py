"""
ASAP at the registrar: pool elements and pool users (RFC 5352 as the server's side).

Messages arrive as bytes, because most of them are answered from bytes; the others are
decoded and go to the procedure of their type.
"""

from collections.abc import Callable

from rserpool.handlespace.element import Element
from rserpool.registrar import keepalive, membership, replica, updates
from rserpool.registrar.effects import Close, Reach
from rserpool.registrar.enrp import Scope
from rserpool.registrar.events import Channel
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.membership import Membership
from rserpool.registrar.registration import Registration
from rserpool.registrar.reports import Reports
from rserpool.registrar.resolution import Resolution
from rserpool.registrar.share import Share
from rserpool.security.decisions import Proof
from rserpool.wire import asap
from rserpool.wire.causes import Cause, InvalidValues
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import OperationError, SCTPTransport

#: Takes the channel, the message as bytes and the time; None means: decode it.
Shortcut = Callable[[Channel, bytes, float], bytes | None]

#: Octets of an offending parameter that go back in an error: the whole of it would not
#: fit beside what an Operation Error adds.
MAXIMUM_QUOTE = 60_000
#: Elements of one lost association that are called: it may have had thousands, all of which
#: were at one place.
MAXIMUM_LOOKED_FOR = 16


class Clients:
    """Pool elements and pool users."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self.keep_alive = KeepAlive(share)
        self._resolution = Resolution(share)
        self._updates = self._resolution.updates
        self.membership = Membership(share, self.keep_alive, self._updates)
        self._registration = Registration(share, self.membership)
        self._bad: dict[Channel, int] = {}
        reports = Reports(share, self.keep_alive, self.membership)
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
        self.alarms: dict[str, Callable[[float], None]] = {
            keepalive.ALARM: self._keep_alive_due,
            membership.ALARM: self.membership.expire,
            updates.ALARM: self._updates_due,
        }

    def join(self, scope: Scope) -> None:
        """Elements may be other registrars' as well from now on."""
        self._scope = scope
        self._registration.alive = scope.peers.alive

    def arrived(self, channel: Channel, messages: list[bytes], now: float) -> bytes:
        """Whole messages have come by `channel`; the answers to it."""
        answers = []
        shortcuts = self._shortcuts
        for data in messages:
            shortcut = shortcuts.get(data[0])
            answer = None if shortcut is None else shortcut(channel, data, now)
            answers.append(self._arrived(channel, data, now) if answer is None else answer)
        return b"".join(answers)

    def lost(self, channel: Channel, now: float) -> None:
        """`channel` is gone."""
        self._bad.pop(channel, None)
        self._updates.lost(channel)
        looked_for = 0
        for element in self.membership.lost(channel, now):
            gone = self._scope.replication.let_go(element, now)
            if not gone and channel.sctp and looked_for < MAXIMUM_LOOKED_FOR:
                looked_for += self._look_for(element, channel)

    def _look_for(self, element: Element, channel: Channel) -> bool:
        """
        Ask an element whose association is gone at its ASAP Transport (RFC 5352 section 3.5).

        Over TCP nobody listens there; in a secure scope it could prove nothing.
        """
        transport = replica.transport_of(element)
        if not isinstance(transport, SCTPTransport) or channel.subject.proof is not Proof.PLAIN:
            return False
        message = self.keep_alive.message(element, new_home=False)
        where = (element.pool.handle, element.identifier)
        self._share.emit(Reach(where, transport, message))
        return True

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
        called = channel.reaches == (message.handle, message.identifier)
        if element is not None and element.channel is None and called:
            self._answered(element, channel, now)
        elif element is None or element.channel is not channel:
            # Nobody answers for another (RFC 5352 section 3.4, KA2.3).
            self._share.counters.unexpected_messages += 1
        elif self.keep_alive.heard(element):
            self._share.counters.keep_alives_acknowledged += 1
        return b""

    def _answered(self, element: Element, channel: Channel, now: float) -> None:
        """We have called an element that had no connection with us, and it has answered."""
        if element.home == self._share.server_id and not self._scope.adoption.expects(element):
            self.membership.attach(element, channel)
            self.keep_alive.heard(element)
            self._share.counters.keep_alives_acknowledged += 1
        else:
            # It has taken us for its home (RFC 5353 section 3.5.2).
            self._scope.adoption.answered(element, channel, now)

    def _keep_alive_due(self, now: float) -> None:
        counters = self._share.counters
        for element in self.keep_alive.due(now):
            if self._scope.replication.let_go(element, now):
                continue  # another registrar has it
            if element.channel is None:
                counters.elements_lost += 1
                what, why = "element.lost", "its connection ended and it didn't come back"
            else:
                counters.elements_silent += 1
                what, why = "element.silent", "no answer to a keep-alive"
            self.membership.dismiss(element, what, why, now)

    def _updates_due(self, now: float) -> None:
        self._updates.due(now)


def _error(causes: tuple[Cause, ...]) -> bytes:
    return asap.encode(asap.Error(error=OperationError(causes=causes)))
