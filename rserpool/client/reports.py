"""Reports of unreachable elements, within bounds (RFC 5352 section 3.5)."""

from rserpool.client.effects import Effect, Send
from rserpool.wire import asap

#: Unreachable reports in a row, and again each minute: a pool user whose own network is down
#: would report the whole world (RFC 5355 section 2.13).
REPORTS = 10
REPORTS_SECONDS = 60.0
#: "no more than once each time it encounters such an event": many requests that fail at the
#: same element within so many seconds are one event.
ONE_EVENT = 10.0


class Reports:
    """What a pool user has reported, and may still report."""

    def __init__(self) -> None:
        self._budget = float(REPORTS)
        self._counted = 0.0
        self._told: dict[tuple[bytes, int], float] = {}
        self._unsent: list[bytes] = []

    def report(self, handle: bytes, identifier: int, now: float) -> bytes | None:
        """Make the message, unless it was said already or too much has been said."""
        refill = (now - self._counted) * REPORTS / REPORTS_SECONDS
        self._budget = min(REPORTS, self._budget + refill)
        self._counted = now
        self._told = {key: at for key, at in self._told.items() if now - at < ONE_EVENT}
        if (handle, identifier) in self._told or self._budget < 1:
            return None
        self._budget -= 1
        self._told[handle, identifier] = now
        message = asap.EndpointUnreachable(handle=handle, identifier=identifier)
        return asap.encode(message)

    def hold(self, data: bytes) -> None:
        """Keep one until there is a registrar; the latest few are enough."""
        self._unsent = [*self._unsent, data][-REPORTS:]

    def held(self) -> list[Effect]:
        """What was kept, to be sent now."""
        unsent, self._unsent = self._unsent, []
        return [Send(data) for data in unsent]
