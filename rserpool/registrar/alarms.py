"""
Which timers ring when: as few ``SetTimer`` effects as the deadlines allow.

A procedure has one timer for all its deadlines; only an earlier one sets it again.
"""

from collections.abc import Callable

from rserpool.registrar.effects import Effect, SetTimer


class Alarms:
    """Asks for a timer only when it must ring earlier than it is set to."""

    def __init__(self, emit: Callable[[Effect], None]) -> None:
        self._emit = emit
        self._set: dict[str, float] = {}

    def at(self, name: str, when: float | None, now: float) -> None:
        """`name` must ring at `when`, if there is a when."""
        if when is None:
            return
        earlier = self._set.get(name)
        if earlier is None or when < earlier:
            self._set[name] = when
            self._emit(SetTimer(name, max(0.0, when - now)))

    def rang(self, name: str) -> None:
        """`name` has rung: it is no longer set."""
        self._set.pop(name, None)
