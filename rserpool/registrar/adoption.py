"""
Elements whose home was taken over, until they have come to their new one (RFC 5353 3.5.2).

Note [Coming home]

The new home asks each of them, with H set, to adopt it; the calls are spread in time.  Over
TCP an element is a client: it can be called only where it listens (its ASAP Transport), so
mostly it comes by itself, because its connection with the old home is lost as well.  Until
then it stays in the answers as it was; one that hasn't come when `rehome_timeout` is over is
taken out.

If the old home returns meanwhile, it was not dead, and knows its elements better than we: those
that haven't come to us are given back.
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
        self._expected: dict[Element, tuple[float, int]] = {}
        self._calls: dict[Element, None] = {}
        self._calling = 0.0
        self._moving: dict[int, int] = {}
        self._former: set[int] = set()

    def __len__(self) -> int:
        return len(self._expected)

    def moving(self, home: int) -> bool:
        """Whether elements are on their way from or to this home."""
        return home in self._moving or home in self._moving.values()

    def take(self, target: int, home: int, now: float) -> None:
        """All elements of `target` are those of `home` from now on."""
        elements = self._handlespace.of_home(target)
        if elements:
            if home == self._share.server_id:
                self._former.add(target)
            self._moving[target] = home
            self._chores.add(self._move(elements, target, home), now)

    def expect(self, element: Element, former: int, now: float) -> None:
        """
        `element` is ours, and has to come.

        :param former: whose it was that seems to be dead; 0: nobody's.
        """
        if element.channel is None:
            self._expected.pop(element, None)
            self._expected[element] = (now + self._share.settings.rehome_timeout, former)
            self._calls[element] = None
            self._alarm(now)

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
            self._share.announce(replica.update(self._share.server_id, element, replica.ADD_PE))
        self.came(element)
        self._membership.attach(element, channel)
        self._handlespace.live(element, now)
        self._keep_alive.watch(element, now)
        self._share.counters.elements_adopted += 1
        self._audit("element.adopted", element, "it has acknowledged its new home")

    def give_back(self, former: int, now: float) -> None:
        """A registrar is back that was thought dead: what hasn't come to us is its own."""
        if former in self._former:
            self._former.discard(former)
            elements = [e for e, (_, home) in self._expected.items() if home == former]
            self._chores.add(self._return(elements, former), now)

    def rang(self, now: float) -> None:
        """The timer rang: call some, and take out those who haven't come."""
        if self._calls and self._calling <= now:
            self._calling = now + PAUSE
            for element in list(self._calls)[:AT_ONCE]:
                del self._calls[element]
                self._call(element)
        late: list[Element] = []
        for element, (until, _) in self._expected.items():
            if until > now or len(late) == AT_ONCE * 4:
                break
            late.append(element)
        for element in late:
            del self._expected[element]
            self._share.counters.elements_orphaned += 1
            self._membership.remove(
                element, "element.orphaned", "it hasn't come to its new home", now
            )
        if not self._expected and not self._moving:
            self._former.clear()  # there is nothing to be given back to them
        self._alarm(now)

    def _alarm(self, now: float) -> None:
        alarms = self._share.alarms
        if self._calls:
            alarms.at(ALARM, max(self._calling, now), now)
        first = next(iter(self._expected.values()), None)
        if first is not None:
            alarms.at(ALARM, first[0], now)

    def _move(self, elements: list[Element], target: int, home: int) -> Iterator[None]:
        ours = home == self._share.server_id
        for element in elements:
            if element.home == target and _there(element):
                self._handlespace.set_home(element, home)
                self._membership.changed(element, self._chores.now)
                if ours:
                    self.expect(element, target, self._chores.now)
            yield
        if self._moving.get(target) == home:
            del self._moving[target]

    def _return(self, elements: list[Element], former: int) -> Iterator[None]:
        mine = self._share.server_id
        for element in elements:
            expected = self._expected.get(element)
            if expected and expected[1] == former and element.home == mine and _there(element):
                self.forget(element)
                self._membership.release(element)
                self._handlespace.set_home(element, former)
                self._share.announce(replica.update(mine, element, replica.ADD_PE))
                self._audit("element.returned", element, f"to {former:#010x}, which is back")
            yield

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
