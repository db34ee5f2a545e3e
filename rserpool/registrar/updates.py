"""
Dynamic updates of a pool to those who asked for them with S (RFC 5352 section 2.2.5).

Changes within `update_interval` go out as one message, encoded once for all who want
the same number of elements.

Who may resolve is asked again each time: rules may have changed since, and a subscription
would else outlive the permission that it rests on.
"""

from collections.abc import Callable

from rserpool.handlespace.pool import Pool
from rserpool.registrar.effects import Send
from rserpool.registrar.events import Channel
from rserpool.registrar.share import Share
from rserpool.security.decisions import LIMITS, RESOLVE, Request

ALARM = "updates"

#: Makes the answer: positive with A set for a pool, negative without one.
Answer = Callable[[bytes, Pool | None, int], bytes]
#: Makes the answer to who may not resolve this any more.
Refusal = Callable[[bytes], bytes]


class Updates:
    """Who wants to hear of which pool, and which pools have changed."""

    def __init__(self, share: Share, answer: Answer, refusal: Refusal) -> None:
        self._share = share
        self._answer = answer
        self._refusal = refusal
        self._subscribers: dict[bytes, dict[Channel, int]] = {}
        self._handles: dict[Channel, set[bytes]] = {}
        self._changed: set[bytes] = set()

    def subscribe(self, channel: Channel, handle: bytes, count: int) -> bool:
        """`channel` wants updates of up to `count` elements; False: it has too many."""
        handles = self._handles.setdefault(channel, set())
        if handle not in handles:
            if len(handles) >= self._share.settings.subscriptions_per_channel:
                return False
            handles.add(handle)
        self._subscribers.setdefault(handle, {})[channel] = count
        return True

    def changed(self, handle: bytes, now: float) -> None:
        """The pool has got other elements."""
        if handle in self._subscribers and handle not in self._changed:
            self._changed.add(handle)
            self._share.alarms.at(ALARM, now + self._share.settings.update_interval, now)

    def due(self, now: float) -> None:
        """The timer rang: tell everybody what has changed."""
        changed, self._changed = self._changed, set()
        for handle in changed:
            self._tell(handle, now)

    def lost(self, channel: Channel) -> None:
        """`channel` is gone, and its subscriptions with it."""
        for handle in self._handles.pop(channel, ()):
            self._drop(handle, channel)

    def _tell(self, handle: bytes, now: float) -> None:
        subscribers = self._subscribers.get(handle, {})
        pool = self._share.handlespace.pools.get(handle)
        answers: dict[int, bytes] = {}
        request = Request(RESOLVE, handle)
        for channel, count in list(subscribers.items()):
            if not self._may(channel, request, now):
                self._share.emit(Send(channel, self._refusal(handle)))
                self._handles[channel].discard(handle)
                self._drop(handle, channel)
                continue
            if count not in answers:
                answers[count] = self._answer(handle, pool, count)
            self._share.emit(Send(channel, answers[count]))
            self._share.counters.updates_sent += 1
            if pool is None:
                # "If a negative response is returned, no further updates [...] will
                # occur" (RFC 5352 section 2.2.5)
                self._handles[channel].discard(handle)
                self._drop(handle, channel)

    def _may(self, channel: Channel, request: Request, now: float) -> bool:
        """Whether it may be told still; how often isn't its doing."""
        decision = self._share.ask(channel, request, now)
        if decision.allowed or decision.by == LIMITS:
            return True
        self._share.refused("resolution.refused", channel, request, decision, None)
        return False

    def _drop(self, handle: bytes, channel: Channel) -> None:
        subscribers = self._subscribers[handle]
        del subscribers[channel]
        if not subscribers:
            del self._subscribers[handle]
