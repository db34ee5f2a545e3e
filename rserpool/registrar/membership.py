"""Elements coming and going, in one place, with all that follows from it."""

from collections.abc import Callable

import attrs

from rserpool.handlespace.element import Element
from rserpool.handlespace.handlespace import How
from rserpool.registrar import replica
from rserpool.registrar.effects import Audit, Send
from rserpool.registrar.events import Channel
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.share import Share
from rserpool.registrar.updates import Updates
from rserpool.security.decisions import Subject
from rserpool.wire import asap

ALARM = "expiry"
#: Elements that expire in one go; the rest follow at once, others served in between.
AT_ONCE = 500


@attrs.frozen
class Cause:
    """By whom an element came or left, what that was, and by whose rule: for the audit log."""

    subject: Subject | None = None
    action: str = ""
    rule: str = ""


_NOBODY = Cause()


class Membership:
    """Which element came through which channel, and how it leaves."""

    def __init__(self, share: Share, keep_alive: KeepAlive, updates: Updates) -> None:
        self._share = share
        self._keep_alive = keep_alive
        self._updates = updates
        self._elements: dict[Channel, set[Element]] = {}
        #: called with an element that has registered and its home before, and with one that
        #: is gone
        self.on_admitted: Callable[[Element, int], None] | None = None
        self.on_gone: Callable[[Element], object] | None = None

    def admitted(
        self,
        element: Element,
        how: How,
        channel: Channel,
        now: float,
        *,
        former: int = 0,
        cause: Cause = _NOBODY,
    ) -> None:
        """
        `element` was registered through `channel`.

        :param former: its home before; 0: it had none.
        """
        self.attach(element, channel)
        if self.on_admitted is not None:
            self.on_admitted(element, former)
        self._keep_alive.heard(element)
        self._keep_alive.watch(element, now)
        if how is not How.RENEWED:
            self._updates.changed(element.pool.handle, now)
            before = f", home before {former:#010x}" if how is How.REHOMED else ""
            life = f"life {self._life(element)}{before}"
            self._audit(f"element.{how.value}", element, life, cause)
        self._announce(element, replica.ADD_PE)
        self._share.alarms.at(ALARM, self._share.handlespace.next_expiry(), now)

    def attach(self, element: Element, channel: Channel) -> None:
        """`channel` is how the element is reached from now on."""
        old = element.channel
        if old is not channel:
            if isinstance(old, Channel):
                self._part(old, element)
            element.channel = channel
            self._elements.setdefault(channel, set()).add(element)

    def renewed(self, element: Element) -> None:
        """`element` has registered again as it was: a sign of life."""
        self._keep_alive.heard(element)
        self._announce(element, replica.ADD_PE)

    def release(self, element: Element) -> None:
        """`element` is another registrar's now."""
        if isinstance(element.channel, Channel):
            self._part(element.channel, element)
            element.channel = None
        element.probe = None
        self._keep_alive.forget(element)

    def cede(self, element: Element) -> None:
        """
        `element` is another registrar's now: let it go, and tell it if it is here after all.

        One that was only silent for a while would else be nowhere until it renews.
        """
        channel = element.channel
        self.release(element)
        self._dismissed(element, channel)

    def claim(self, element: Element) -> None:
        """`element` has turned to us: what follows is ours to say (RFC 5353 section 3.3)."""
        if element.home != self._share.server_id:
            self._share.handlespace.set_home(element, self._share.server_id)
            self._announce(element, replica.ADD_PE)

    def changed(self, element: Element, now: float) -> None:
        """Its home has told us of `element`: so are those who watch the pool."""
        self._updates.changed(element.pool.handle, now)

    def dismiss(self, element: Element, what: str, reason: str, now: float) -> None:
        """
        Take `element` out against its will, and tell it, so that it can come back.

        As at the end of its life (RFC 5352 section 3.2): an element that was only slow, or
        that only others couldn't reach, registers again at once and is missing no longer.
        """
        channel = element.channel
        self.remove(element, what, reason, now)
        self._dismissed(element, channel)

    def remove(
        self, element: Element, what: str, reason: str, now: float, cause: Cause = _NOBODY
    ) -> None:
        """
        Take `element` out of its pool; `what` and `reason` are for the audit log.

        Of one of another registrar, that one's log tells why it is gone.
        """
        if element.home == self._share.server_id:
            self._audit(what, element, reason, cause)
        self.release(element)
        if element.home == self._share.server_id:
            self._announce(element, replica.DEL_PE)
        self._share.handlespace.remove(element)
        if self.on_gone is not None:
            self.on_gone(element)
        self._updates.changed(element.pool.handle, now)

    def lost(self, channel: Channel, now: float) -> set[Element]:
        """
        `channel` is gone: its elements have the time of a keep-alive to come back.

        Without it, a moment's loss of a connection would take living servers out of
        the answers.  Gives these elements back.
        """
        elements = self._elements.pop(channel, set())
        for element in elements:
            element.channel = None
        self._keep_alive.expect(elements, now)
        return elements

    def expire(self, now: float) -> None:
        """Dismiss those whose registration life is over."""
        for element in self._share.handlespace.expired(now, AT_ONCE):
            self._share.counters.elements_expired += 1
            self.dismiss(element, "element.expired", f"life {self._life(element)} is over", now)
        self._share.alarms.at(ALARM, self._share.handlespace.next_expiry(), now)

    def _life(self, element: Element) -> str:
        return self._share.settings.interop.seconds(element.life)

    def _dismissed(self, element: Element, channel: object) -> None:
        """Tell an element that it isn't registered any more."""
        if isinstance(channel, Channel):
            message = asap.DeregistrationResponse(
                handle=element.pool.handle, identifier=element.identifier
            )
            self._share.emit(Send(channel, asap.encode(message)))

    def _part(self, channel: Channel, element: Element) -> None:
        elements = self._elements[channel]
        elements.discard(element)
        if not elements:
            del self._elements[channel]

    def _announce(self, element: Element, action: int) -> None:
        """Tell the peers, if there are any (RFC 5353 section 3.3)."""
        if self._share.peers:
            self._share.announce(replica.update(self._share, element, action))

    def _audit(self, what: str, element: Element, outcome: str, cause: Cause) -> None:
        channel = element.channel
        subject = cause.subject
        if subject is None and isinstance(channel, Channel):
            subject = channel.subject
        audit = Audit(
            what,
            subject,
            element.pool.handle,
            element.identifier,
            outcome,
            cause.action,
            cause.rule,
            element.principal or "",
        )
        self._share.emit(audit)
