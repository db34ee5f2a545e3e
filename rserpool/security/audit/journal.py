"""
The journal: a chain of audit lines, and the file in which it is kept.

A file begins with a line that says which chain it goes on with, so that what is rotated away
is missed.  At a start the chain of the last whole line goes on.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

from twisted.logger import Logger

from rserpool.security.audit.chain import CONTINUES, Head, seal, sealed

#: Octets that wait while the file can't be written (a full disk); then lines are lost, which
#: the chain shows.
MAXIMUM_PENDING = 4 * 1024 * 1024
#: Octets at the end of a file in which its last line is looked for.
_TAIL = 256 * 1024


class Journal:
    """
    Binds lines into a chain, and appends them to a file if there is one.

    :param path: None: no file; the chain begins anew with each start.
    :param size: octets at which a file is rotated; 0: never.
    :param keep: files kept beside it: ``PATH.1`` is the youngest of them.
    :param stamp: gives the time that stands in lines.
    :ivar head: the last line.
    :ivar lost: lines that could not be written.
    :ivar on_waiting: called when there is something to flush.
    :ivar on_mark: called with each line that the journal itself adds.
    """

    _log = Logger(namespace="rserpool.security")

    def __init__(
        self, path: str | None, size: int, keep: int, stamp: Callable[[], str]
    ) -> None:
        self.path = path
        self.head = Head()
        self.lost = 0
        self.on_waiting: Callable[[], object] = lambda: None
        self.on_mark: Callable[[bytes], object] = lambda text: None
        self._size = size
        self._keep = keep
        self._stamp = stamp
        self._descriptor = -1
        self._written = 0
        self._pending = bytearray()
        self._failing = False
        self._missing = 0

    def open(self) -> None:
        """
        Begin, or go on where the file ends.

        :raise ValueError: another process writes it.
        :raise OSError: it can't be written.
        """
        if self.path is None:
            self._mark("audit.began", {CONTINUES: str(Head())})
            return
        self._open(self.path)
        tail = self._tail()
        if not tail:
            self._mark("audit.began", {CONTINUES: str(self.head)})
            return
        whole = tail.endswith(b"\n")
        lines = [head for head in map(sealed, tail.splitlines()) if head is not None]
        if not lines:
            raise ValueError(f"{self.path} is no audit log: move it away")
        self.head = lines[-1]
        if not whole:
            self._pending += b"\n"
        self._mark("audit.resumed", {} if whole else {"outcome": "a line was cut short"})

    def add(self, line: dict[str, object]) -> bytes:
        """Bind one more line, and keep it for the file; gives it as it is written."""
        if self._size and self._written + len(self._pending) >= self._size:
            self._rotate()
        text, self.head = seal(line, self.head)
        if self._descriptor >= 0:
            if not self._pending:
                self.on_waiting()
            if len(self._pending) > MAXIMUM_PENDING:
                self._lose()
            else:
                self._pending += text + b"\n"
        return text

    def flush(self) -> None:
        """Write what has been added; what can't be written waits."""
        if not self._pending or self._descriptor < 0:
            return
        try:
            count = os.write(self._descriptor, self._pending)
        except OSError as error:
            if not self._failing:
                words = error.strerror
                self._log.critical("{path}: not written: {why}", path=self.path, why=words)
            self._failing = True
            return
        self._written += count
        del self._pending[:count]
        self._failing = bool(self._pending)
        if self._missing and not self._failing:
            count, self._missing = self._missing, 0
            self._mark("audit.lost", {"outcome": f"{count} lines before this one"})

    def reopen(self) -> None:
        """Open the file anew: who keeps logs has moved it away, perhaps (SIGHUP)."""
        if self.path is None or self._descriptor < 0:
            return
        self.flush()
        try:
            same = os.path.samestat(os.stat(self.path), os.fstat(self._descriptor))
        except OSError:
            same = False
        if not same:
            self._begin_file()

    def close(self) -> None:
        """Write everything, and end."""
        self.flush()
        if self._descriptor >= 0:
            with suppress(OSError):
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _lose(self) -> None:
        """There is no room for a line: it is missed, and when there is room that is told."""
        if not self._missing:
            words = "{path}: too much waits to be written: from now on lines are lost"
            self._log.critical(words, path=self.path)
        self._missing += 1
        self.lost += 1

    def _rotate(self) -> None:
        self.flush()
        if self._pending:
            return  # it can't be written; a rotation would not help
        assert self.path is not None
        try:
            for number in range(self._keep - 1, 0, -1):
                with suppress(FileNotFoundError):
                    os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")
            if self._keep:
                os.replace(self.path, f"{self.path}.1")
            else:
                os.unlink(self.path)
        except OSError as error:
            self._log.critical("{path}: not rotated: {why}", path=self.path, why=error.strerror)
            self._written = 0  # tried again when as much has been written once more
            return
        self._begin_file()

    def _begin_file(self) -> None:
        """Go on in a new file; if there can't be one, in the old one."""
        assert self.path is not None
        old, written = self._descriptor, self._written
        try:
            self._open(self.path)
        except (OSError, ValueError) as error:
            self._descriptor, self._written = old, written
            self._log.critical("{path}: not opened: {why}", path=self.path, why=error)
            return
        os.close(old)
        if self._written == 0:
            self._mark("audit.continued", {CONTINUES: str(self.head)})

    def _open(self, path: str) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise ValueError(f"{path}: another process writes this audit log") from None
        self._descriptor = descriptor
        self._written = os.fstat(descriptor).st_size

    def _tail(self) -> bytes:
        return os.pread(self._descriptor, _TAIL, max(self._written - _TAIL, 0))

    def _mark(self, what: str, more: dict[str, object]) -> None:
        line = {"time": self._stamp(), "what": what, **more}
        text, self.head = seal(line, self.head)
        self._pending += text + b"\n"
        self.flush()
        self.on_mark(text)
