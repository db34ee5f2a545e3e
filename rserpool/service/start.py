"""What keeps a registrar from starting: told in words, and not by a traceback."""

import errno
from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

#: What to do about an error of the system.
_ADVICE = {
    errno.EADDRINUSE: "; 'ss -ltnp' tells which program has it",
    errno.EADDRNOTAVAIL: "; this host hasn't that address: 'ip address' tells which it has",
    errno.EACCES: "; ports below 1024 need the right to them (CAP_NET_BIND_SERVICE)",
}


class CannotStart(SystemExit, Exception):
    """
    The start fails, for a reason that is in the log.

    A `SystemExit`, so that it ends ``twistd -n`` without a traceback; an `Exception`, too,
    since twistd passes nothing else on to the process that waits for a daemon's start, which
    would wait for ever.
    """

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.code = 1  # and no words: the log has them


def cannot_listen(failure: Failure, where: str) -> NoReturn:
    """
    An errback of ``listen``: why it came to nothing, in words.

    :raise ValueError: it has.
    """
    # OverflowError: what sockets say to a port that can't be.
    failure.trap(CannotListenError, OSError, OverflowError, ValueError)
    error = getattr(failure.value, "socketError", failure.value)
    words = getattr(error, "strerror", None) or str(error)
    advice = _ADVICE.get(getattr(error, "errno", None) or 0, "")
    raise ValueError(f"can't listen on {where}: {words}{advice}")


def first_failure(started: Sequence["Deferred[Any]"]) -> str:
    """What went wrong first of what was started, in words; empty: nothing."""
    failures: list[str] = []

    def failed(failure: Failure) -> None:
        first: Any = failure.value
        failures.append(first.subFailure.getErrorMessage())

    gatherResults(started, consumeErrors=True).addErrback(failed)
    return failures[0] if failures else ""
