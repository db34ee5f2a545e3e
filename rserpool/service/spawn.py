"""Running and supervising the service itself, for the wrapper's ``--spawn``."""

import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.service import launch

#: The pause before it is started again, doubled with each quick end, and its bound.
PAUSE, LONGEST_PAUSE = 0.5, 60.0
#: Seconds after which a run counts as good, and the pause is the first one again.
GOOD_RUN = 30.0
#: Seconds between asking it to end (SIGTERM) and ending it (SIGKILL), and after which it is
#: not waited for any more.
PATIENCE = 5.0
#: A line of its output is cut to this: it may never write an end of line.
LONGEST_LINE = 4096


def words_of(command: str) -> list[str]:
    """
    Split a command as a shell would.

    :raise ValueError: it can't be split, is empty, or there is no such program.
    """
    words = shlex.split(command)
    if not words:
        raise ValueError("the command is empty")
    if shutil.which(words[0], path=os.environ.get("PATH")) is None:
        raise ValueError(f"there is no program {words[0]!r} here")
    return words


class Session(ProcessProtocol):
    """A program in a session of its own, with nothing to read."""

    transport: Any
    pid = 0

    def run(self, reactor: Any, words: Sequence[str]) -> None:
        """Start it."""
        # Isolated and without site: the launcher needs the standard library only.
        launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid())]
        reactor.spawnProcess(self, sys.executable, [*launcher, *words], env=None, path=None)

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """It has started."""
        self.pid = self.transport.pid
        self.transport.closeStdin()

    def signal(self, number: int) -> None:
        """Send a signal to it and to all that it has started and that is left."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            if self.transport.pid is not None:
                # The launcher hasn't made the session yet.
                os.kill(self.pid, number)


class Spawned:
    """
    One program, started again whenever it ends, until `stop`.

    :param died: called whenever it has ended without being told to.
    :raise ValueError: the command is no good.
    """

    _log = Logger(namespace="rserpool.spawn")

    def __init__(
        self, reactor: Any, command: str, died: Callable[[], None] = lambda: None
    ) -> None:
        self._reactor = reactor
        self._words = words_of(command)
        self._died = died
        self._running: _Process | None = None
        self._again: IDelayedCall | None = None
        self._pause = PAUSE
        self._since = 0.0
        self._stopped: Deferred[None] | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process now."""
        return self._running is not None

    def start(self) -> None:
        """Start it."""
        self._again = None
        self._since = self._reactor.seconds()
        self._running = _Process(self)
        self._running.run(self._reactor, self._words)
        self._log.info("started {command} as process {pid}", command=self._words[0],
                       pid=self._running.pid)  # fmt: skip

    def stop(self) -> "Deferred[None]":
        """End it; fires when it has ended, or can't be ended."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._running is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped = stopped
        self._running.signal(signal.SIGTERM)
        timers = [
            self._reactor.callLater(PATIENCE, self._kill),
            self._reactor.callLater(PATIENCE * 2, self._give_up),
        ]
        return stopped.addBoth(lambda _: [timer.cancel() for timer in timers if timer.active()])

    def exited(self) -> None:
        """It has exited; what it started may live on, and hold its output and its port."""
        if self._running is not None and self._stopped is None:
            self._running.signal(signal.SIGKILL)

    def ended(self, reason: Failure) -> None:
        """It has ended, of itself or because it was told to."""
        self._running = None
        if self._stopped is not None:
            self._log.info("{command} has ended", command=self._words[0])
            stopped, self._stopped = self._stopped, None
            stopped.callback(None)
            return
        if self._reactor.seconds() - self._since > GOOD_RUN:
            self._pause = PAUSE
        how = _how(reason)
        self._log.error(
            "{command}: {how}; it is started again in {pause:g} s",
            command=self._words[0], how=how, pause=self._pause,
        )  # fmt: skip
        self._again = self._reactor.callLater(self._pause, self.start)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._died()

    def said(self, line: bytes) -> None:
        """It has written a line."""
        self._log.info("{line}", line=line.decode(errors="replace").rstrip())

    def _kill(self) -> None:
        if self._running is not None:
            self._log.warn(
                "{command} hasn't ended within {seconds:g} s of SIGTERM: it is killed",
                command=self._words[0], seconds=PATIENCE,
            )  # fmt: skip
            self._running.signal(signal.SIGKILL)

    def _give_up(self) -> None:
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            self._log.error("{command} can't be ended", command=self._words[0])
            stopped.callback(None)


def _how(reason: Failure) -> str:
    """How a program has ended, for people."""
    number = getattr(reason.value, "signal", None)
    if number is not None:
        return f"it was ended by signal {number}"
    return f"it ended with exit status {getattr(reason.value, 'exitCode', None)}"


class _Process(Session):
    """One run of the program."""

    def __init__(self, owner: Spawned) -> None:
        self._owner = owner
        self._rests: dict[int, bytes] = {}

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802,N803
        """Cut its output into lines, and those that are too long into pieces."""
        *lines, rest = (self._rests.get(childFD, b"") + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = b""
        self._rests[childFD] = rest
        for line in lines:
            self._owner.said(line[:LONGEST_LINE])

    def processExited(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It has exited; its output may still be open."""
        self._owner.exited()

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It has ended, and its output has been read."""
        for rest in self._rests.values():
            if rest:
                self._owner.said(rest)
        self._owner.ended(reason)
