"""Running and supervising the service itself, for the wrapper's ``--spawn``."""

import contextlib
import os
import shlex
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

#: The pause before it is started again, doubled with each quick end, and its bound.
PAUSE, LONGEST_PAUSE = 0.5, 60.0
#: Seconds after which a run counts as good, and the pause is the first one again.
GOOD_RUN = 30.0
#: Seconds between asking it to end (SIGTERM) and ending it (SIGKILL).
PATIENCE = 5.0
#: A line of its output is cut to this: it may never write an end of line.
LONGEST_LINE = 4096


class Spawned:
    """
    One program, started again whenever it ends, until `stop`.

    :raise ValueError: the command can't be split into words.
    """

    _log = Logger(namespace="rserpool.spawn")

    def __init__(self, reactor: Any, command: str) -> None:
        self._reactor = reactor
        self._words = shlex.split(command)
        if not self._words:
            raise ValueError("the command is empty")
        self._running: _Process | None = None
        self._again: IDelayedCall | None = None
        self._pause = PAUSE
        self._since = 0.0
        self._stopped: Deferred[None] | None = None

    def start(self) -> None:
        """Start it."""
        self._again = None
        self._since = self._reactor.seconds()
        self._running = _Process(self)
        self._reactor.spawnProcess(
            self._running, self._words[0], self._words, env=None, path=None
        )
        self._log.info("started {command} as process {pid}", command=self._words[0],
                       pid=self._running.transport.pid)  # fmt: skip

    def stop(self) -> "Deferred[None]":
        """End it; fires when it has ended."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._running is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped = stopped
        self._signal("TERM")
        kill = self._reactor.callLater(PATIENCE, self._signal, "KILL")
        return stopped.addBoth(lambda _: kill.cancel() if kill.active() else None)

    def ended(self, reason: Failure) -> None:
        """It has ended, of itself or because it was told to."""
        self._running = None
        if self._stopped is not None:
            self._stopped.callback(None)
            return
        if self._reactor.seconds() - self._since > GOOD_RUN:
            self._pause = PAUSE
        how = "ended" if reason.check(ProcessDone) else reason.getErrorMessage()
        self._log.error(
            "{command}: {how}; it is started again in {pause:g} s",
            command=self._words[0], how=how, pause=self._pause,
        )  # fmt: skip
        self._again = self._reactor.callLater(self._pause, self.start)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def said(self, line: bytes) -> None:
        """It has written a line."""
        self._log.info("{line}", line=line.decode(errors="replace").rstrip())

    def _signal(self, name: str) -> None:
        if self._running is not None:
            with contextlib.suppress(ProcessExitedAlready):
                self._running.transport.signalProcess(name)


class _Process(ProcessProtocol):
    """One run of the program."""

    transport: Any

    def __init__(self, owner: Spawned) -> None:
        self._owner = owner
        self._rest = b""

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802,N803
        """Cut its output into lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._owner.said(line[:LONGEST_LINE])

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It has ended."""
        if self._rest:
            self._owner.said(self._rest)
        self._owner.ended(reason)


def program_exists(command: str) -> bool:
    """Whether the first word of a command is a program here."""
    import shutil

    words = shlex.split(command)
    return bool(words) and shutil.which(words[0], path=os.environ.get("PATH")) is not None
