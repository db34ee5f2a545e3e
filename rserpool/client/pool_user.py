"""
The pool user for Twisted applications.

.. code-block:: python

    user = PoolUser(reactor, ["tcp:registrar.example:3864"], Certified(ca="ca.pem"))
    resolution = await user.resolve(b"web")
    for element in resolution.elements:
        print(element.user_transport)
    user.close()
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.python.failure import Failure

from rserpool.client.events import Notice, What
from rserpool.client.hunt import Random
from rserpool.client.link import Link
from rserpool.client.security import Security
from rserpool.client.user import Resolution, User


class NoAnswer(Exception):
    """No registrar has answered in time; the message says what went wrong with each."""


class PoolUser:
    """
    Resolves pool handles at the first registrar that proves itself and answers.

    :param notify: told what happens, in words for a log.
    """

    def __init__(
        self,
        reactor: Any,
        registrars: Sequence[str],
        security: Security,
        *,
        notify: Callable[[Notice], None] = lambda notice: None,
        rng: Random | None = None,
    ) -> None:
        self._reactor = reactor
        self._user = User()
        self._observer = notify
        self._troubles: dict[str, None] = {}
        self._link = Link(
            reactor,
            registrars,
            security,
            self._user,
            notify=self._happened,
            random=rng or random.SystemRandom(),
        )
        self._running = False

    def resolve(
        self, handle: bytes, items: int | None = None, timeout: float = 10.0
    ) -> "Deferred[Resolution]":
        """
        Ask who is in a pool.

        :param items: how many elements are wanted; None: all that fit.
        :return: the answer, which may be a refusal; fails with `NoAnswer`.
        """
        asked: Deferred[Resolution] = Deferred()

        def answered(resolution: Resolution) -> None:
            if not asked.called:
                asked.callback(resolution)

        self._link.perform(self._user.resolve(handle, items, answered))
        self._start()
        asked.addTimeout(timeout, self._reactor)

        def unanswered(failure: Failure) -> Resolution:
            failure.trap(TookTooLong)
            self._user.forget(handle)
            raise NoAnswer(self.troubles or f"no registrar answered within {timeout:g} seconds")

        return asked.addErrback(unanswered)

    def watch(self, handle: bytes, changed: Callable[[Resolution], None]) -> None:
        """Call `changed` with who is in a pool, now and at every change."""
        self._link.perform(self._user.resolve(handle, None, changed, watch=True))
        self._start()

    def unwatch(self, handle: bytes) -> None:
        """Call no more."""
        self._user.forget(handle)

    def report(self, handle: bytes, identifier: int) -> None:
        """
        Tell the registrar that an element could not be reached.

        At most once for each failure (RFC 5352 section 3.5); there is no answer.
        """
        now = self._reactor.seconds()
        self._link.perform(self._user.report(handle, identifier, now))

    @property
    def troubles(self) -> str:
        """What has gone wrong with which registrar, a line each."""
        return "\n".join(self._troubles)

    def close(self) -> None:
        """Hang up."""
        self._running = False
        self._link.stop()

    def _start(self) -> None:
        if not self._running:
            self._running = True
            self._link.start()

    def _happened(self, notice: Notice) -> None:
        if notice.what in (What.UNREACHABLE, What.UNLINKED):
            self._troubles[notice.words] = None
            while len(self._troubles) > 20:
                del self._troubles[next(iter(self._troubles))]
        self._observer(notice)
