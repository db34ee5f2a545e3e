"""The load of a service, for adaptive policies (RFC 5356 section 3.1)."""

import os
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.utils import getProcessOutput

#: 100 % as the policies have it.
FULL = 0xFFFFFFFF
#: Seconds that the command may take.
TIMEOUT = 10.0


def machine_load() -> int:
    """The load average of the last minute, by processors."""
    processors = os.cpu_count() or 1
    return _scaled(os.getloadavg()[0] / processors)


def parse(output: str) -> int:
    """
    Read what a load command printed: 0 to 1, or 0 to 100 with a ``%``.

    :raise ValueError: it is neither.
    """
    text = output.strip()
    share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 <= share <= 1:
        raise ValueError(f"a load is 0 to 1, or 0% to 100%, not {text!r}")
    return _scaled(share)


def load(reactor: Any, command: str | None) -> "Deferred[int]":
    """Ask the command, or the machine."""
    if command is None:
        return succeed(machine_load())
    asked: Deferred[Any] = getProcessOutput(
        "/bin/sh", ["-c", command], env=os.environ, reactor=reactor
    )
    asked.addTimeout(TIMEOUT, reactor)
    return asked.addCallback(lambda output: parse(output.decode(errors="replace")))


def _scaled(share: float) -> int:
    return min(FULL, max(0, round(share * FULL)))
