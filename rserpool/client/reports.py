"""
Reports of unreachable elements, within bounds (RFC 5352 section 3.5, RFC 5355 section 2.13).

Note [What is said, and when]

"An ASAP Endpoint MUST report no more than once each time it encounters such an event", and "to
any ENRP server": so a report that had no registrar to go to waits for one, but not for long.
What failed minutes ago may serve again, and a report of it would only cost a keep-alive.  That
the element was really used is the application's to keep ("unless the user has made a previous
request to send data to the PE"); `PoolConnection` does so.
"""

from rserpool.client.bucket import Bucket
from rserpool.client.effects import Effect, Send
from rserpool.wire import asap

#: Unreachable reports in a row, and again each minute: a pool user whose own network is down
#: would report the whole world (RFC 5355 section 2.13).
REPORTS = 10
REPORTS_SECONDS = 60.0
#: "no more than once each time it encounters such an event": many requests that fail at the
#: same element within so many seconds are one event.
ONE_EVENT = 10.0
#: Seconds that a report waits for a registrar: see Note [What is said, and when].
FRESH = 30.0


class Reports:
    """What a pool user has reported, and may still report."""

    def __init__(self) -> None:
        self._bucket = Bucket(REPORTS / REPORTS_SECONDS, REPORTS)
        self._told: dict[tuple[bytes, int], float] = {}
        self._unsent: list[tuple[float, bytes]] = []

    def report(self, handle: bytes, identifier: int, now: float) -> bytes | None:
        """Make the message, unless it was said already or too much has been said."""
        self._told = {key: at for key, at in self._told.items() if now - at < ONE_EVENT}
        if (handle, identifier) in self._told or not self._bucket.spend(now):
            return None
        self._told[handle, identifier] = now
        message = asap.EndpointUnreachable(handle=handle, identifier=identifier)
        return asap.encode(message)

    def hold(self, data: bytes, now: float) -> None:
        """Keep one until there is a registrar; the latest few are enough."""
        self._unsent = [*self._unsent, (now, data)][-REPORTS:]

    def held(self, now: float) -> list[Effect]:
        """What was kept and is fresh, to be sent now."""
        unsent, self._unsent = self._unsent, []
        return [Send(data) for at, data in unsent if now - at < FRESH]
