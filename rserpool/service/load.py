"""The load of a service, for adaptive policies (RFC 5356 section 3.1)."""

import os
import signal
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessDone
from twisted.python.failure import Failure

from rserpool.service.spawn import Session

#: 100 % as the policies have it.
FULL = 0xFFFFFFFF
#: Seconds that the command may take; it is ended then.
TIMEOUT = 10.0
#: Octets of its output that are read: a number is shorter.
LONGEST_OUTPUT = 4096


def machine_load() -> int:
    """The load average of the last minute, by processors."""
    processors = os.cpu_count() or 1
    return _scaled(os.getloadavg()[0] / processors)


def parse(output: str) -> int:
    """
    Read what a load command printed: 0 to 1, or a percentage, with or without its sign.

    Up to 1 a number without a sign is a share, so that ``1`` is full: who prints
    percentages should print the sign.  Taking a full server for an idle one would do harm;
    the reverse only wastes it.

    :raise ValueError: it is neither.
    """
    text = output.strip()
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise ValueError(f"it printed {text[:60]!r}, which isn't a number") from None
    if text.endswith("%") or value > 1:
        value /= 100
    if not 0 <= value <= 1:
        raise ValueError(f"it printed {text!r}: a load is 0 to 1, or 0% to 100%")
    return _scaled(value)


def percent(load: int) -> str:
    """A load for people."""
    return f"{100 * load / FULL:.0f} %"


def load(reactor: Any, command: str | None) -> "Deferred[int]":
    """
    Ask the command, or the machine.

    :return: the load; fails with a `ValueError` that says what went wrong.  Cancelling it
        ends the command.
    """
    if command is None:
        return succeed(machine_load())
    return _Asked().ask(reactor, command).addCallback(parse)


class _Asked(Session):
    """One run of a load command."""

    def __init__(self) -> None:
        self._output = b""
        self._errors = b""
        self._answer: Deferred[str] = Deferred(lambda _: self.signal(signal.SIGKILL))

    def ask(self, reactor: Any, command: str) -> "Deferred[str]":
        """Run it by the shell."""
        self.run(reactor, ["/bin/sh", "-c", command])
        timer = reactor.callLater(TIMEOUT, self._too_long)

        def over(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            return result

        return self._answer.addBoth(over)

    def outReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Keep what it prints."""
        self._output = (self._output + data)[:LONGEST_OUTPUT]

    def errReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Keep what it complains of."""
        self._errors = (self._errors + data)[:LONGEST_OUTPUT]

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It has ended."""
        if self._answer.called:
            return
        if reason.check(ProcessDone):
            self._answer.callback(self._output.decode(errors="replace"))
        else:
            said = self._errors.decode(errors="replace").strip()
            self._answer.errback(ValueError(said or reason.getErrorMessage()))

    def _too_long(self) -> None:
        self.signal(signal.SIGKILL)
        self._answer.errback(ValueError(f"it took longer than {TIMEOUT:g} seconds"))


def _scaled(share: float) -> int:
    return min(FULL, max(0, round(share * FULL)))
