"""
Which credentials are in use, and when each was last: what one must know to revoke one.

``web-1`` may go when only ``web-1~2`` is still used.
"""

from collections.abc import Callable, Iterator

import attrs

from rserpool.security.decisions import Proof, Subject

#: Credentials remembered.  A certificate authority may let in as many names as it likes; of
#: too many, those are forgotten that came or went longest ago.
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
        self._uses: dict[tuple[Proof, str, str], Use] = {}
        #: Sessions now, by how their peers have proven themselves.
        self.by_proof = dict.fromkeys(Proof, 0)

    def __iter__(self) -> Iterator[Use]:
        """Every credential remembered, that of the latest coming or going first."""
        return reversed(self._uses.values())

    def opened(self, subject: Subject) -> None:
        """A session has begun."""
        self.by_proof[subject.proof] += 1
        if subject.proven:
            key = _credential(subject)
            use = self._uses.pop(key, None) or Use(subject)
            use.open += 1
            self._uses[key] = use
            if len(self._uses) > MAXIMUM_REMEMBERED:
                del self._uses[next(iter(self._uses))]

    def closed(self, subject: Subject) -> None:
        """A session has ended."""
        self.by_proof[subject.proof] -= 1
        key = _credential(subject)
        use = self._uses.pop(key, None)
        if use is not None:
            use.open = max(use.open - 1, 0)
            use.last = self._clock()
            self._uses[key] = use


def _credential(subject: Subject) -> tuple[Proof, str, str]:
    return subject.proof, subject.name, subject.identity
