"""
Keep-alives (RFC 5352 sections 3.4 and 3.5), spread in time, one outstanding an element.

Note [One entry an element]

The wheel holds exactly one entry for each element of ours (it is `watched`), the time of its
next periodic keep-alive: it is put there when the element becomes ours and again each time it
comes up, until the element is gone or another registrar's.  What is outstanding stands in a
dictionary of its own, in the order of deadlines, since each has the same timeout.  An element
whose connection was lost is outstanding as well: it has the same time to come back.
"""

from collections.abc import Callable, Iterable

from rserpool.handlespace.deadlines import Deadlines
from rserpool.handlespace.element import Element
from rserpool.registrar.effects import Send
from rserpool.registrar.events import Channel
from rserpool.registrar.share import Share
from rserpool.wire import asap

ALARM = "keep-alive"
#: Elements looked at in one go: 100,000 of them may fall due together after a pause,
#: and nobody else is served meanwhile.
AT_ONCE = 500


class KeepAlive:
    """Who must be asked, who was asked and has not answered."""

    def __init__(self, share: Share) -> None:
        self._server_id = share.server_id
        self._settings = share.settings
        self._random = share.random
        self._counters = share.counters
        self._alarms = share.alarms
        self._emit = share.emit
        # a hundredth of the interval: many elements share a slot, whatever it is
        self._next: Deadlines[Element] = Deadlines(self._settings.keep_alive_interval / 100)
        self._outstanding: dict[Element, float] = {}
        #: called with an element that was waited for and has shown life
        self.on_heard: Callable[[Element], None] | None = None

    def watch(self, element: Element, now: float) -> None:
        """`element` is ours from now on: ask it at times of its own."""
        if not element.watched:
            element.watched = True
            self._again(element, now)
            self._alarm(now)

    def expect(self, elements: Iterable[Element], now: float) -> None:
        """These have lost their connection: they have one timeout to come back."""
        outstanding, deadline = self._outstanding, now + self._settings.keep_alive_timeout
        for element in elements:
            # Taken out first, so that the dictionary stays in the order of deadlines.
            outstanding.pop(element, None)
            outstanding[element] = deadline
        self._alarm(now)

    def missed(self, element: Element) -> bool:
        """Whether it has lost its connection, and hasn't come back yet."""
        return element.channel is None and element in self._outstanding

    def heard(self, element: Element) -> bool:
        """`element` has shown life; was it waited for?"""
        if self._outstanding.pop(element, None) is None:
            return False
        if self.on_heard is not None:
            self.on_heard(element)
        return True

    def forget(self, element: Element) -> None:
        """`element` is gone, or another registrar's."""
        self._outstanding.pop(element, None)

    def ask(self, element: Element, now: float) -> None:
        """Send one keep-alive now, unless one is outstanding already."""
        if element in self._outstanding or not isinstance(element.channel, Channel):
            return
        self._outstanding[element] = now + self._settings.keep_alive_timeout
        self._counters.keep_alives_sent += 1
        self._emit(Send(element.channel, self.message(element, new_home=False)))
        self._alarm(now)

    def due(self, now: float) -> list[Element]:
        """The timer rang: ask whose turn it is, and give back who has not answered."""
        for element in self._next.due(now, AT_ONCE):
            if self._ours(element):
                self.ask(element, now)
                self._again(element, now)
            else:
                element.watched = False
        silent: list[Element] = []
        for element, deadline in self._outstanding.items():
            if deadline > now or len(silent) == AT_ONCE:
                break
            silent.append(element)
        for element in silent:
            del self._outstanding[element]
        self._alarm(now)
        return [element for element in silent if self._ours(element)]

    def _again(self, element: Element, now: float) -> None:
        # "randomly by plus/minus 50 percent" (RFC 5352 section 3.5)
        spread = 0.5 + self._random.random()
        self._next.put(now + self._settings.keep_alive_interval * spread, element)

    def _alarm(self, now: float) -> None:
        self._alarms.at(ALARM, self._next.next(), now)
        self._alarms.at(ALARM, next(iter(self._outstanding.values()), None), now)

    def message(self, element: Element, *, new_home: bool) -> bytes:
        """ASAP_ENDPOINT_KEEP_ALIVE; with H: we are its home now (RFC 5352 section 2.2.7)."""
        named = self._settings.interop.keep_alive_identifier
        return asap.encode(
            asap.EndpointKeepAlive(
                new_home=new_home,
                server=self._server_id,
                handle=element.pool.handle,
                identifier=element.identifier if named else None,
            )
        )

    def _ours(self, element: Element) -> bool:
        """Whether it is there, and we are its home."""
        there = element.pool.elements.get(element.identifier) is element
        return there and element.home == self._server_id
