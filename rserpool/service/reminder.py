"""Warnings of what will end soon, in the log: once a day, and when something does end."""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

#: Seconds between two rounds of warnings.
DAILY = 86400.0
#: Seconds that the timer waits at most: its clock isn't the one by which things end.
LONGEST = 3600.0
#: Warnings of one round; a file may have thousands of keys that end on one day.
MAXIMUM_WARNINGS = 50


class Warner(Protocol):
    """Who knows what ought to be better: keys, certificates and lists."""

    @property
    def warnings(self) -> Sequence[str]:
        """All of it, now."""

    @property
    def moments(self) -> Sequence[float]:
        """When there will be other warnings than before, and they can't wait for a day."""


class Reminder:
    """
    Says warnings again.

    :param now: the time in seconds since the epoch.
    """

    _log = Logger(namespace="rserpool.service")

    def __init__(self, clock: IReactorTime, now: Callable[[], float], warner: Warner) -> None:
        self._clock = clock
        self._now = now
        self._warner = warner
        self._said = now()
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to wait for the next round."""
        self.stop()
        self._timer = self._clock.callLater(self._wait(), self._rang)

    def stop(self) -> None:
        """Say nothing any more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def say(self) -> None:
        """Say all warnings now."""
        self._said = self._now()
        warnings = self._warner.warnings
        for warning in warnings[:MAXIMUM_WARNINGS]:
            self._log.warn("{words}", words=warning)
        if len(warnings) > MAXIMUM_WARNINGS:
            more = len(warnings) - MAXIMUM_WARNINGS
            self._log.warn("and {more} more warnings like these", more=more)

    def _due(self) -> float:
        coming = [moment for moment in self._warner.moments if moment > self._said]
        return min([self._said + DAILY, *coming])

    def _wait(self) -> float:
        return min(max(self._due() - self._now(), 0.0), LONGEST)

    def _rang(self) -> None:
        if self._now() >= self._due():
            self.say()
        self._timer = self._clock.callLater(self._wait(), self._rang)
