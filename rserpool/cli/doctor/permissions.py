"""Looking at files: who can read what is secret, and who can change what decides."""

import os
import stat
from collections.abc import Iterable, Iterator

from rserpool.cli.doctor.finding import Finding, error, note, warning
from rserpool.security.private import too_open


def look_secret(path: str, what: str) -> Iterator[Finding]:
    """Look at a file that is its owner's alone."""
    mode = _mode(path)
    if mode is None:
        return
    fault = too_open(path, mode, what)
    if fault:
        _, _, words = fault.partition(": ")
        yield error("file-open", words.partition(";")[0], path, f"chmod 600 {path}")


def look_decisive(path: str, what: str) -> Iterator[Finding]:
    """Look at a file that anybody may read, but nobody else may change."""
    mode = _mode(path)
    if mode is not None and mode & stat.S_IWOTH:
        yield error("file-writable", f"anybody can change {what}", path, f"chmod o-w {path}")
    elif mode is not None and mode & stat.S_IWGRP:
        yield warning(
            "file-writable", f"its group can change {what}", path, f"chmod g-w {path}"
        )


def look_audit(path: str) -> Iterator[Finding]:
    """Look at the audit file: it tells who talks to whom."""
    yield from look_decisive(path, "the audit log")
    mode = _mode(path)
    if mode is not None and mode & stat.S_IROTH:
        yield warning(
            "file-readable", "anybody can read the audit log", path, f"chmod o-r {path}"
        )


def look_authority(directory: str) -> Iterator[Finding]:
    """Look for the authority's private key beside the rest."""
    path = os.path.join(directory, "ca.key")
    if _mode(path) is None:
        return
    yield from look_secret(path, "authority's private key")
    yield note(
        "ca-key", "the authority's private key lies beside the registrar's: who takes over "
        "this host makes certificates for anybody", path, "keep it elsewhere, best offline",
    )  # fmt: skip


def look_directories(paths: Iterable[str]) -> Iterator[Finding]:
    """Look at all directories above these files: who changes one may replace what is in it."""
    seen: set[str] = set()
    for path in paths:
        directory = os.path.dirname(os.path.realpath(path))
        first = True
        while directory not in seen:
            seen.add(directory)
            yield from _directory(directory, first)
            directory, first = os.path.dirname(directory), False


def _directory(path: str, holds: bool) -> Iterator[Finding]:
    mode = _mode(path)
    if mode is None or mode & stat.S_ISVTX:
        return  # with the sticky bit nobody takes away what is another's
    if mode & stat.S_IWOTH:
        yield error(
            "directory-writable", "anybody can replace what is in this directory", path,
            f"chmod o-w {path}",
        )  # fmt: skip
    elif holds and mode & stat.S_IWGRP:
        yield warning(
            "directory-writable", "its group can replace what is in this directory", path,
            f"chmod g-w {path}",
        )  # fmt: skip


def _mode(path: str) -> int | None:
    """The mode; None: it isn't there, or can't be looked at."""
    try:
        return os.stat(path).st_mode
    except OSError:
        return None
