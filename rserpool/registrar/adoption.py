"""
Elements whose home was taken over, until they have come to their new one (RFC 5353 3.5.2).

Note [Coming home]

The new home asks each of them, with H set, to adopt it; the calls are spread in time.  Over
TCP an element is a client: it can be called only where it listens (its ASAP Transport), so
mostly it comes by itself, because its connection with the old home is lost as well.  Until
then it stays in the answers as it was; one that hasn't come when `rehome_timeout` is over is
taken out.

If the old home returns meanwhile, it lists what it owns, and who hasn't come to us is its own
again.  It may have been started anew, and list nothing: so nothing is given back that it
doesn't ask for.
"""

from collections.abc import Iterator

from rserpool.handlespace.element import Element
from rserpool.registrar import replica
from rserpool.registrar.chores import Chores
from rserpool.registrar.effects import Audit, Reach
from rserpool.registrar.events import Channel
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.membership import Membership
from rserpool.registrar.share import Share

ALARM = "adoption"
#: Elements called in one go, and seconds until the next: 100,000 would be called within 100 s.
AT_ONCE, PAUSE = 50, 0.05


class Adoption:
    """Who has yet to come, until when, and whose it was."""

    def __init__(
        self, share: Share, keep_alive: KeepAlive, membership: Membership, chores: Chores
    ) -> None:
        self._share = share
        self._handlespace = share.handlespace
        self._keep_alive = keep_alive
        self._membership = membership
        self._chores = chores
        self._expected: dict[Element, float] = {}
        self._calls: dict[Element, None] = {}
        self._calling = 0.0
        self._moving: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._expected)

    def moving(self, home: int) -> bool:
        """Whether elements are on their way from or to this home."""
        return home in self._moving or home in self._moving.values()

    def take(self, target: int, home: int, now: float) -> None:
        """All elements of `target` are those of `home` from now on."""
        elements = self._handlespace.of_home(target)
        if elements:
            self._moving[target] = home
            self._chores.add(self._move(elements, target, home), now)

    def expect(self, element: Element, now: float) -> None:
        """`element` is ours, and has to come."""
        if element.channel is None:
            self._expected.pop(element, None)
            self._expected[element] = now + self._share.settings.rehome_timeout
            self._calls[element] = None
            self._alarm(now)

    def expects(self, element: Element) -> bool:
        """Whether `element` has yet to come."""
        return element in self._expected

    def suggested(self, element: Element) -> None:
        """Its home would rather have it be ours: ask it."""
        self._call(element)

    def came(self, element: Element) -> bool:
        """`element` has come to us; whether it was expected."""
        self._calls.pop(element, None)
        return self._expected.pop(element, None) is not None

    def forget(self, element: Element) -> None:
        """It is another registrar's now, or gone."""
        self.came(element)

    def answered(self, element: Element, channel: Channel, now: float) -> None:
        """`element`, called by us, has adopted us: its acknowledgement has come."""
        if element.home != self._share.server_id:
            self._handlespace.set_home(element, self._share.server_id)
            self._share.announce(replica.update(self._share, element, replica.ADD_PE))
        self.came(element)
        self._membership.attach(element, channel)
        self._handlespace.live(element, now)
        self._keep_alive.watch(element, now)
        self._share.counters.elements_adopted += 1
        self._audit("element.adopted", element, "it has acknowledged its new home")

    def rang(self, now: float) -> None:
        """The timer rang: call some, and take out those who haven't come."""
        if self._calls and self._calling <= now:
            self._calling = now + PAUSE
            for element in list(self._calls)[:AT_ONCE]:
                del self._calls[element]
                self._call(element)
        late: list[Element] = []
        for element, until in self._expected.items():
            if until > now or len(late) == AT_ONCE * 4:
                break
            late.append(element)
        for element in late:
            del self._expected[element]
            self._share.counters.elements_orphaned += 1
            self._membership.remove(
                element, "element.orphaned", "it hasn't come to its new home", now
            )
        self._alarm(now)

    def _alarm(self, now: float) -> None:
        alarms = self._share.alarms
        if self._calls:
            alarms.at(ALARM, max(self._calling, now), now)
        first = next(iter(self._expected.values()), None)
        if first is not None:
            alarms.at(ALARM, first, now)

    def _move(self, elements: list[Element], target: int, home: int) -> Iterator[None]:
        ours = home == self._share.server_id
        for element in elements:
            if element.home == target and _there(element):
                self._handlespace.set_home(element, home)
                self._membership.changed(element, self._chores.now)
                if ours:
                    self.expect(element, self._chores.now)
            yield
        if self._moving.get(target) == home:
            del self._moving[target]

    def _call(self, element: Element) -> None:
        transport = replica.transport_of(element)
        if transport is not None and _there(element):
            where = (element.pool.handle, element.identifier)
            message = self._keep_alive.message(element, new_home=True)
            self._share.emit(Reach(where, transport, message))

    def _audit(self, what: str, element: Element, outcome: str) -> None:
        self._share.emit(Audit(what, None, element.pool.handle, element.identifier, outcome))


def _there(element: Element) -> bool:
    return element.pool.elements.get(element.identifier) is element
