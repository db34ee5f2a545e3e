"""The one time of a simulated world, and the clocks of its machines, which differ."""

import heapq
from collections.abc import Callable
from typing import Any


class Event:
    """Something that is going to happen, unless it is cancelled."""

    __slots__ = ("arguments", "function", "when")

    def __init__(self, when: float, function: Callable[..., None], arguments: tuple[Any, ...]):
        self.when = when
        self.function: Callable[..., None] | None = function
        self.arguments = arguments

    def cancel(self) -> None:
        """It won't happen."""
        self.function = None
        self.arguments = ()

    def active(self) -> bool:
        """Whether it is still to happen."""
        return self.function is not None

    def getTime(self) -> float:
        """When it happens, as Twisted asks for it."""
        return self.when


class Clock:
    """A heap of events; those of one moment happen in the order in which they were made."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Event]] = []
        self._count = 0

    def at(self, when: float, function: Callable[..., None], *arguments: Any) -> Event:
        """Have `function` called at `when`."""
        event = Event(when, function, arguments)
        self.put(event)
        return event

    def put(self, event: Event) -> None:
        """Have it happen at its time."""
        self._count += 1
        heapq.heappush(self._heap, (event.when, self._count, event))

    def after(self, seconds: float, function: Callable[..., None], *arguments: Any) -> Event:
        """Have it called so many seconds from now."""
        return self.at(self.now + seconds, function, *arguments)

    def run(self, until: float) -> None:
        """Let everything happen that happens up to `until`."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            when, _, event = heapq.heappop(heap)
            function = event.function
            if function is None:
                continue
            self.now = when
            self.steps += 1
            arguments = event.arguments
            event.cancel()  # it is no longer to happen
            function(*arguments)
        self.now = until


class _Call(Event):
    """One timer of a machine."""

    __slots__ = ("calls",)

    def cancel(self) -> None:
        """It won't ring."""
        self.calls.pop(self, None)
        super().cancel()


class Local:
    """
    One machine's clock: it runs a little fast or slow, and began at some other time.

    Has what Twisted calls `IReactorTime`; a process that has ended rings no more.

    :param rate: its seconds in one second of the world.
    """

    def __init__(self, clock: Clock, rate: float, offset: float) -> None:
        self._clock = clock
        self._rate = rate
        self._offset = offset
        self._calls: dict[_Call, None] = {}
        self._stopped = False

    def seconds(self) -> float:
        """The time here."""
        return self._offset + self._clock.now * self._rate

    def callLater(self, delay: float, function: Callable[..., Any], *arguments: Any) -> _Call:
        """Call it after so many seconds of this clock."""
        call = _Call(self._clock.now + delay / self._rate, function, arguments)
        call.calls = self._calls
        if not self._stopped:
            self._calls[call] = None
            self._clock.put(call)
        return call

    def stop(self) -> None:
        """The process has ended."""
        self._stopped = True
        for call in list(self._calls):
            call.cancel()
