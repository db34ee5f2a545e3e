"""Listening to registrars that announce themselves: groups, the list, and T7 (RFC 5352 3.6)."""

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall

from rserpool.client.announced import MAXIMUM, SHORTEST, Announced, read
from rserpool.client.hunt import Random
from rserpool.security.budgets import Budget, Rate
from rserpool.transport.announce import Group, GroupSocket

#: Seconds until a group that couldn't be joined is tried again: its interface may come up late.
RETRY = 10.0
#: Announcements of one address that are decoded, each second and at once: an honest one comes
#: once a second, and mostly as it came before, which isn't decoded.  A flood would else cost us
#: several hundredths of a processor.
FROM_ONE = Rate(10, 20)
#: Announcements that are known by their octets: twice as many as there are places.
REMEMBERED = 2 * MAXIMUM
#: By which transport a registrar may be called that names none.
SILENT = ("sctp", "tcp")

#: What is wrong with believing announcements by certificates of just anybody's.
UNNAMED = (
    "whoever has a certificate for his own address could say that he is a registrar: give ca, "
    "the authority of this scope, or name, which all its registrars prove"
)


@attrs.frozen(kw_only=True)
class Announcements:
    """
    Where to listen, and what is made of it.

    :ivar interface: the name of one, or its IPv4 address; None: the system's choice.
    :ivar silent: the transport of a registrar that announces none: SCTP, as RFC 5352 has it.
    """

    groups: tuple[Group, ...] = attrs.field()
    interface: str | None = None
    silent: str = attrs.field(default=SILENT[0], validator=attrs.validators.in_(SILENT))

    @groups.validator
    def _some(self, attribute: Any, value: tuple[Group, ...]) -> None:
        if not value:
            raise ValueError("at least one group must be given")


class Listening:
    """
    Hears announcements, and tells what comes and goes.

    :param learn: told of a new place where a registrar may be called.
    :param forget: told of one that is outdated, or has given way to a new one.
    :param trouble: told in words that a group can't be joined.
    """

    def __init__(
        self,
        reactor: Any,
        what: Announcements,
        *,
        learn: Callable[[str], None],
        forget: Callable[[str], None],
        trouble: Callable[[str], None],
        random: Random,
    ) -> None:
        self._reactor = reactor
        self._silent = what.silent
        self._learn = learn
        self._forget = forget
        self._trouble = trouble
        self._list = Announced(random)
        self._ringing = 0.0
        self._budget = Budget(FROM_ONE, "announcements")
        self._known: dict[tuple[bytes, str, int], tuple[str, ...]] = {}
        self._sockets = [
            GroupSocket(reactor, group, interface=what.interface, heard=self._heard)
            for group in what.groups
        ]
        self._timers: dict[object, IDelayedCall] = {}
        self._troubles: dict[object, str] = {}

    def start(self) -> None:
        """Join the groups."""
        for one in self._sockets:
            self._open(one)

    def stop(self) -> None:
        """Leave them, and forget whoever has announced himself."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for one in self._sockets:
            one.close()
        for text in self._list.clear():
            self._forget(text)

    def failed(self, text: str) -> None:
        """Somebody was called in vain."""
        self._list.failed(text)

    def _open(self, one: GroupSocket) -> None:
        self._timers.pop(one, None)
        try:
            one.open()
            self._troubles.pop(one, None)
        except (OSError, ValueError) as error:
            words = (
                f"can't join the group {one.group}: {getattr(error, 'strerror', None) or error}"
            )
            if self._troubles.get(one) != words:
                self._troubles[one] = words
                self._trouble(words)
            self._timers[one] = self._reactor.callLater(RETRY, self._open, one)

    def _heard(self, data: bytes, host: str, port: int) -> None:
        now = self._reactor.seconds()
        # Its port counts only where no transport is named.
        what = (data, host, port if len(data) <= SHORTEST else 0)
        places = self._known.get(what)
        if places is None:
            if not self._budget.spend(host, now).allowed:
                return
            places = read(data, host, port, self._silent)
        if places:
            self._tell(*self._list.heard(places, host, now))
            self._remember(what, places)
            self._watch()

    def _remember(self, what: tuple[bytes, str, int], places: tuple[str, ...]) -> None:
        """Know this announcement again, if all that it tells is listed."""
        if not all(text in self._list for text in places):
            self._known.pop(what, None)
        elif what not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[what] = places

    def _tell(self, new: list[str], gone: list[str]) -> None:
        for text in gone:
            self._forget(text)
        for text in new:
            self._learn(text)

    def _watch(self) -> None:
        """Have a timer ring when something may be outdated (T7), or lots are drawn."""
        when, timer = self._list.next(), self._timers.get(self._list)
        if when is None or (timer is not None and self._ringing <= when):
            return
        if timer is not None:
            timer.cancel()
        self._ringing = when
        wait = max(when - self._reactor.seconds(), 0.0)
        self._timers[self._list] = self._reactor.callLater(wait, self._look)

    def _look(self) -> None:
        del self._timers[self._list]
        now = self._reactor.seconds()
        self._tell([], self._list.outdated(now))
        self._tell(*self._list.draw(now))
        self._watch()
