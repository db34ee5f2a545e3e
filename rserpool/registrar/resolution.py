"""
Handle resolution (RFC 5352 section 3.3), on bytes: the registrar's hot path.

A pool keeps its encoded handle and policy, an element its encoded parameter: an answer
is a join.  What a request asks for is read from its bytes once and remembered, since
pool users ask the same again and again.
"""

import struct

import attrs

from rserpool.handlespace.pool import Pool
from rserpool.registrar.events import Channel
from rserpool.registrar.share import Share
from rserpool.registrar.updates import Updates
from rserpool.security.decisions import RESOLVE, Request
from rserpool.wire import asap
from rserpool.wire.causes import Cause, LackOfResources, RejectedForSecurity, UnknownPoolHandle
from rserpool.wire.framing import MAXIMUM_LENGTH
from rserpool.wire.parameters import OperationError

#: "As many as fit": all ones in the Handle Resolution Option, or no option at all.
ALL = 0xFFFFFFFF
#: Requests remembered, and as many again as twice the pools.  Each names a pool that
#: exists, but a client could ask for ever different numbers of elements to fill our memory.
REMEMBERED = 1024

_HEADER = struct.Struct("!BBH")


@attrs.frozen
class _Question:
    """What one request asks for."""

    handle: bytes
    pool: Pool | None  # as it was when it was asked for first
    count: int
    subscribe: bool
    request: Request


class Resolution:
    """Answers ASAP_HANDLE_RESOLUTION."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._pools = share.handlespace.pools
        self._ask = share.gate.ask
        self._counters = share.counters
        self._questions: dict[bytes, _Question] = {}
        self.updates = Updates(
            share, self._update, lambda handle: _negative(handle, RejectedForSecurity())
        )

    def asked(self, channel: Channel, data: bytes, now: float) -> bytes | None:
        """The answer to an encoded request met before, or None: decode it."""
        question = self._questions.get(data)
        return None if question is None else self._answer(channel, question, now)

    def resolve(
        self, channel: Channel, data: bytes, message: asap.HandleResolution, now: float
    ) -> bytes:
        """The answer to a request, which came as `data`."""
        question = _Question(
            handle=message.handle,
            pool=self._pools.get(message.handle),
            count=self._share.settings.interop.items(message.items, ALL),
            subscribe=message.subscribe,
            request=Request(RESOLVE, message.handle),
        )
        if question.pool is not None and not message.unknown:
            if len(self._questions) >= REMEMBERED + 2 * len(self._pools):
                self._questions.clear()
            self._questions[data] = question
        return self._answer(channel, question, now)

    def _answer(self, channel: Channel, question: _Question, now: float) -> bytes:
        counters = self._counters
        decision = self._ask(channel.subject, question.request, now)
        if not decision.allowed:
            counters.resolutions_refused += 1
            self._share.refused("resolution.refused", channel, question.request, decision, None)
            return _negative(question.handle, RejectedForSecurity())
        counters.resolutions += 1
        pool = question.pool
        if pool is None or not pool.elements:
            # It has gone; another one may have its handle since.
            pool = self._pools.get(question.handle)
        if pool is None:
            counters.resolutions_unknown += 1
            return _negative(question.handle, UnknownPoolHandle())
        if question.subscribe:
            return self._subscribed(channel, question, pool)
        return _positive(pool, question.count, 0)

    def _subscribed(self, channel: Channel, question: _Question, pool: Pool) -> bytes:
        accepted = self.updates.subscribe(channel, question.handle, question.count)
        return _positive(pool, question.count, int(accepted))

    def _update(self, handle: bytes, pool: Pool | None, count: int) -> bytes:
        if pool is None:
            return _negative(handle, UnknownPoolHandle())
        return _positive(pool, count, 1)


def _positive(pool: Pool, count: int, accepted: int) -> bytes:
    """As many elements as were asked for and fit, in the policy's order."""
    beginning = pool.beginning
    fixed = 4 + len(beginning)
    blobs = pool.select(count, MAXIMUM_LENGTH - fixed)
    if not blobs:
        # every element says by weight 0 that it can't serve (RFC 5356 section 3.2)
        return _negative(pool.handle, LackOfResources())
    body = b"".join(blobs)
    last = blobs[-1]
    # The Message Length doesn't cover the final padding (RFC 5354 section 4).
    length = fixed + len(body) - len(last) + (last[2] << 8 | last[3])
    return b"".join((_HEADER.pack(6, accepted, length), beginning, body))


def _negative(handle: bytes, cause: Cause) -> bytes:
    return asap.encode(
        asap.HandleResolutionResponse(
            accepted_updates=False,
            handle=handle,
            policy=None,
            elements=(),
            error=OperationError(causes=(cause,)),
        )
    )
