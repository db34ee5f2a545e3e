"""Files with secrets, changed at once: nobody sees half of one, or one that is too open."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def exclusively(path: str) -> Iterator[None]:
    """Keep other programs that do the same from changing files of this directory."""
    descriptor = os.open(_directory(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace(path: str, data: bytes, mode: int) -> None:
    """
    Put `data` in the place of the file, which keeps its owner.

    A link is followed: what it points to is replaced.

    :raise OSError: it could not be done; the file is what it was.
    """
    named, path = path, os.path.realpath(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=_directory(path), prefix=".new-")
    except OSError as error:  # of the temporary file, which nobody knows
        raise OSError(error.errno, error.strerror, named) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            _keep_owner(path, file.fileno())
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(path)


def _directory(path: str) -> str:
    return os.path.dirname(os.path.realpath(path))


def _keep_owner(path: str, descriptor: int) -> None:
    # root adds a key to the daemon's file: the daemon must still be able to read it
    with suppress(FileNotFoundError):
        old, new = os.stat(path), os.fstat(descriptor)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            os.fchown(descriptor, old.st_uid, old.st_gid)


def _sync_directory(path: str) -> None:
    descriptor = os.open(_directory(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
