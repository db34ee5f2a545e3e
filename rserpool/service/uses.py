"""
Which credentials are in use, and when each was last: what one must know to revoke one.

``web-1`` may go when only ``web-1~2`` is still used.
"""

from collections.abc import Callable, Iterator

import attrs

from rserpool.security.decisions import Proof, Subject

#: Credentials remembered.  A certificate authority may let in as many names as it likes; of
#: too many, those are forgotten that went longest ago; where all are connected, those that
#: came longest ago.
MAXIMUM_REMEMBERED = 1000


@attrs.define
class Use:
    """The sessions of one credential."""

    subject: Subject  # one that came in by it
    open: int = 0
    last: float = 0.0  # when one was last open; meaningless while one is


class Uses:
    """
    Counts sessions by proof, and by credential.

    :param clock: the time in seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[tuple[Proof, str, str], Use] = {}
        self._gone: dict[tuple[Proof, str, str], Use] = {}
        #: Sessions now, by how their peers have proven themselves.
        self.by_proof = dict.fromkeys(Proof, 0)

    def __iter__(self) -> Iterator[Use]:
        """Every credential remembered: those in use, then the others, the latest first."""
        yield from reversed(self._open.values())
        yield from reversed(self._gone.values())

    def opened(self, subject: Subject) -> None:
        """A session has begun."""
        self.by_proof[subject.proof] += 1
        if subject.proven:
            key = _credential(subject)
            use = self._open.pop(key, None) or self._gone.pop(key, None) or Use(subject)
            use.open += 1
            self._open[key] = use
            if len(self._open) + len(self._gone) > MAXIMUM_REMEMBERED:
                oldest = self._gone or self._open
                del oldest[next(iter(oldest))]

    def closed(self, subject: Subject) -> None:
        """A session has ended."""
        self.by_proof[subject.proof] -= 1
        key = _credential(subject)
        use = self._open.get(key)
        if use is not None:
            use.open -= 1
            use.last = self._clock()
            if not use.open:
                self._gone[key] = self._open.pop(key)


def _credential(subject: Subject) -> tuple[Proof, str, str]:
    return subject.proof, subject.name, subject.identity
