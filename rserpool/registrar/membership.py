"""Elements coming and going, in one place, with all that follows from it."""

from rserpool.handlespace.element import Element
from rserpool.handlespace.handlespace import How
from rserpool.registrar.effects import Audit, Send
from rserpool.registrar.events import Channel
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.share import Share
from rserpool.registrar.updates import Updates
from rserpool.wire import asap

ALARM = "expiry"
#: Elements that expire in one go; the rest follow at once, others served in between.
AT_ONCE = 500


class Membership:
    """Which element came through which channel, and how it leaves."""

    def __init__(self, share: Share, keep_alive: KeepAlive, updates: Updates) -> None:
        self._share = share
        self._keep_alive = keep_alive
        self._updates = updates
        self._elements: dict[Channel, set[Element]] = {}

    def admitted(self, element: Element, how: How, channel: Channel, now: float) -> None:
        """`element` was registered through `channel`."""
        old = element.channel
        if old is not channel:
            if isinstance(old, Channel):
                self._part(old, element)
            element.channel = channel
            self._elements.setdefault(channel, set()).add(element)
        self._keep_alive.heard(element)
        if how in (How.NEW, How.JOINED):
            self._keep_alive.watch(element, now)
        if how is not How.RENEWED:
            self._updates.changed(element.pool.handle, now)
            self._audit(f"element.{how.value}", element, f"life {element.life}")
        self._share.alarms.at(ALARM, self._share.handlespace.next_expiry(), now)

    def renewed(self, element: Element) -> None:
        """`element` has registered again as it was: a sign of life."""
        self._keep_alive.heard(element)

    def dismiss(self, element: Element, what: str, reason: str, now: float) -> None:
        """
        Take `element` out against its will, and tell it, so that it can come back.

        As at the end of its life (RFC 5352 section 3.2): an element that was only slow, or
        that only others couldn't reach, registers again at once and is missing no longer.
        """
        channel = element.channel
        self.remove(element, what, reason, now)
        if isinstance(channel, Channel):
            message = asap.DeregistrationResponse(
                handle=element.pool.handle, identifier=element.identifier
            )
            self._share.emit(Send(channel, asap.encode(message)))

    def remove(self, element: Element, what: str, reason: str, now: float) -> None:
        """Take `element` out of its pool; `what` and `reason` are for the audit log."""
        if isinstance(element.channel, Channel):
            self._part(element.channel, element)
        self._keep_alive.heard(element)
        self._audit(what, element, reason)
        self._share.handlespace.remove(element)
        self._updates.changed(element.pool.handle, now)

    def lost(self, channel: Channel, now: float) -> None:
        """
        `channel` is gone: its elements have the time of a keep-alive to come back.

        Without it, a moment's loss of a connection would take living servers out of
        the answers.
        """
        elements = self._elements.pop(channel, set())
        for element in elements:
            element.channel = None
        self._keep_alive.expect(elements, now)

    def expire(self, now: float) -> None:
        """Dismiss those whose registration life is over."""
        for element in self._share.handlespace.expired(now, AT_ONCE):
            self._share.counters.elements_expired += 1
            self.dismiss(element, "element.expired", f"life {element.life} is over", now)
        self._share.alarms.at(ALARM, self._share.handlespace.next_expiry(), now)

    def _part(self, channel: Channel, element: Element) -> None:
        elements = self._elements[channel]
        elements.discard(element)
        if not elements:
            del self._elements[channel]

    def _audit(self, what: str, element: Element, outcome: str) -> None:
        channel = element.channel
        subject = channel.subject if isinstance(channel, Channel) else None
        self._share.emit(Audit(what, subject, element.pool.handle, element.identifier, outcome))
