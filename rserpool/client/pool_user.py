"""
The pool user for Twisted applications.

.. code-block:: python

    user = PoolUser(reactor, ["tcp:registrar.example:3864"], Certified(ca="ca.pem"))

    async def fetch():
        chooser = user.chooser(await user.resolve(b"web", items=3))
        while (element := chooser.choose()) is not None:
            try:
                return await ask(element.user_transport)
            except ConnectError:
                chooser.failed(element.identifier)
                user.report(b"web", element.identifier)

    user.watch(b"web", lambda found: print(len(found.elements), "servers"))
    ...
    user.close()
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.python.failure import Failure

from rserpool.client.dialect import RFC, Dialect
from rserpool.client.events import Notice, What
from rserpool.client.hunt import Random
from rserpool.client.link import Link
from rserpool.client.listening import Announcements
from rserpool.client.resolution import Chooser, Resolution
from rserpool.client.security import Security
from rserpool.client.user import MAX_REQUEST_RETRANSMIT, T1_SECONDS, Judge, User, believing

#: Seconds in which T1 has rung as often as it may: what a resolution takes at most.
TIMEOUT = T1_SECONDS * (MAX_REQUEST_RETRANSMIT + 1)
#: Troubles that are remembered, to be told when nobody answers.
_TROUBLES = 20


class NoAnswer(Exception):
    """No registrar has answered in time; the message says what went wrong with each."""


class PoolUser:
    """
    Resolves pool handles at the first registrar that proves itself and answers.

    :param registrars: endpoint descriptions of the registrars that may be asked.
    :param announcements: where registrars announce themselves, to be found as well.
    :param stale: how many seconds an answer may be used again (RFC 5352 section 3.3).  A
        registrar spreads the load by answering each request otherwise, so that a cache
        makes the policy coarser; by default there is none.
    :param notify: told what happens, in words for a log.
    :param verifier: looks at the elements' signatures in each answer, and gives back what is
        believed of it (RFC 5355 section 2.17): a `Verifier`, or what chooses among several.
    """

    def __init__(
        self,
        reactor: Any,
        registrars: Sequence[str],
        security: Security,
        *,
        stale: float = 0.0,
        verifier: Judge | None = None,
        notify: Callable[[Notice], None] = lambda notice: None,
        rng: Random | None = None,
        announcements: Announcements | None = None,
        dialect: Dialect = RFC,
    ) -> None:
        self._reactor = reactor
        self._user = User(stale=stale, dialect=dialect, judge=verifier or believing)
        self._observer = notify
        self._troubles: dict[str, None] = {}
        self._listens = announcements is not None
        self._random = rng or random.SystemRandom()
        self._link = Link(
            reactor,
            registrars,
            security,
            self._user,
            notify=self._happened,
            random=self._random,
            announcements=announcements,
        )
        self._asking: set[Deferred[Resolution]] = set()
        self._running = False

    def resolve(
        self, handle: bytes, items: int | None = None, timeout: float = TIMEOUT
    ) -> "Deferred[Resolution]":
        """
        Ask who is in a pool.

        :param items: how many elements are wanted; None: all that fit.
        :return: the answer, which may be a refusal; fails with `NoAnswer`.
        """
        asked: Deferred[Resolution] = Deferred()

        def answered(resolution: Resolution | None) -> None:
            if asked.called:
                return
            if resolution is None:
                asked.errback(NoAnswer(self._why(timeout)))
            else:
                asked.callback(resolution)

        now = self._reactor.seconds()
        self._link.perform(self._user.resolve(handle, items, answered, now))
        self._start()
        self._asking.add(asked)
        asked.addTimeout(timeout, self._reactor)

        def over(result: Any) -> Any:
            self._asking.discard(asked)
            self._link.perform(self._user.forget(answered))
            if isinstance(result, Failure) and result.check(TookTooLong):
                raise NoAnswer(self._why(timeout))
            return result

        return asked.addBoth(over)

    def chooser(self, resolution: Resolution) -> Chooser:
        """Choose among these elements as the pool's policy wants it."""
        return Chooser(resolution, self._random)

    def watch(self, handle: bytes, changed: Callable[[Resolution], None]) -> None:
        """
        Call `changed` with who is in a pool, now and at every change.

        A pool that isn't there is a resolution with a refusal, and is asked for again.
        """
        self._link.perform(self._user.watch(handle, changed))
        self._start()

    def unwatch(self, handle: bytes) -> None:
        """Call nobody any more about this pool."""
        self._link.perform(self._user.unwatch(handle))

    def report(self, handle: bytes, identifier: int) -> None:
        """
        Tell a registrar that an element could not be reached.

        Only of one that this application has tried.  There is no answer; what is said
        twice, or too often, isn't sent (RFC 5352 section 3.5).
        """
        now = self._reactor.seconds()
        self._link.perform(self._user.report(handle, identifier, now))
        self._start()

    @property
    def troubles(self) -> str:
        """What has gone wrong with which registrar, a line each."""
        return "\n".join(self._troubles)

    def close(self) -> None:
        """Hang up; what still waits for an answer fails with `NoAnswer`."""
        self._running = False
        self._link.stop()
        for asked in list(self._asking):
            if not asked.called:
                asked.errback(NoAnswer("the pool user was closed"))

    def _why(self, timeout: float) -> str:
        done = "answered, or announced itself," if self._listens else "answered"
        return self.troubles or f"no registrar {done} within {timeout:g} seconds"

    def _start(self) -> None:
        if not self._running:
            self._running = True
            self._link.start()

    def _happened(self, notice: Notice) -> None:
        if notice.what in (What.UNREACHABLE, What.UNLINKED, What.COMPLAINED):
            self._troubles[notice.words] = None
            while len(self._troubles) > _TROUBLES:
                del self._troubles[next(iter(self._troubles))]
        self._observer(notice)
