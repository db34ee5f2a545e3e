"""
Asking another registrar for its handle table (RFC 5353 sections 3.2.3 and 3.6.3).

At most one download runs with each peer, and one request of it is outstanding.
"""

from collections.abc import Callable

import attrs

from rserpool.registrar.events import Channel
from rserpool.registrar.share import Share
from rserpool.registrar.told import Listing
from rserpool.wire import enrp

ALARM = "download"


@attrs.define(eq=False)
class Download:
    """One of them: the channel that it is from, and what it has come to."""

    channel: Channel
    own_only: bool
    until: float
    elements: int = 0


Ended = Callable[[Download, str, float], None]


class Downloads:
    """
    All that run.

    :param ended: called with each one that has ended: why, or nothing if it is complete.
    """

    def __init__(self, share: Share, ended: Ended) -> None:
        self._share = share
        self._ended = ended
        self._running: dict[Channel, Download] = {}

    def of(self, channel: Channel) -> Download | None:
        """The download that runs on a connection."""
        return self._running.get(channel)

    def start(self, channel: Channel, receiver: int, own_only: bool, now: float) -> None:
        """Ask for the first part."""
        self._running[channel] = Download(channel, own_only, now)
        self._ask(self._running[channel], receiver, now)

    def arrived(self, channel: Channel, message: Listing, now: float) -> None:
        """A part has come, and its elements are in the handlespace: ask for the next."""
        download = self._running.get(channel)
        if download is None:
            return
        download.elements += len(message.elements)
        if message.rejected:
            self._end(download, "it gives none", now)
        elif message.more:
            self._ask(download, message.sender, now)
        else:
            self._end(download, "", now)

    def lost(self, channel: Channel, now: float) -> None:
        """The connection has ended."""
        download = self._running.get(channel)
        if download is not None:
            self._end(download, "the connection was lost", now)

    def rang(self, now: float) -> None:
        """End those whose answer doesn't come."""
        for download in list(self._running.values()):
            if download.until <= now:
                self._end(download, "no answer", now)
            else:
                self._share.alarms.at(ALARM, download.until, now)

    def _ask(self, download: Download, receiver: int, now: float) -> None:
        request = enrp.HandleTableRequest(
            own_only=download.own_only, sender=self._share.server_id, receiver=receiver
        )
        self._share.tell(download.channel, request)
        download.until = now + self._share.settings.max_time_no_response
        self._share.alarms.at(ALARM, download.until, now)

    def _end(self, download: Download, why: str, now: float) -> None:
        del self._running[download.channel]
        self._ended(download, why, now)
