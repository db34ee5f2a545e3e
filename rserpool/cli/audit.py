"""``rserpool audit verify``: whether an audit log is what was written."""

import argparse
import os
import re
from collections.abc import Iterator
from contextlib import suppress

from rserpool.cli import usage
from rserpool.cli.outcome import DONE, NO, Failure, tell
from rserpool.security.audit.chain import Head, Verifier

#: Faults that are shown; one break may be followed by many.
_MOST = 20


def verify(args: argparse.Namespace) -> int:
    """Follow the chain through the files given, and those that were rotated from them."""
    # Before the files are read: lines that are written meanwhile are after this head.
    verifier = Verifier(_head(args))
    for path in _all(args.file):
        try:
            with open(path, "rb") as file:
                verifier.feed(path, file)
        except OSError as error:
            raise Failure(f"{path}: can't be read: {error.strerror}") from None
    verifier.end()
    faults = [f"{fault.where}: {fault.words}" for fault in verifier.faults]
    last = verifier.head or Head()
    tell(
        {
            "whole": not faults, "lines": verifier.lines, "head": str(last),
            "notes": verifier.notes, "faults": faults,
        },
        args.json,
        *(f"note: {note}" for note in verifier.notes),
        *faults[:_MOST],
        *([f"... and {len(faults) - _MOST} more"] if len(faults) > _MOST else []),
        f"{'BROKEN' if faults else 'whole'}: {verifier.lines} lines, the last is {last}",
    )  # fmt: skip
    return NO if faults else DONE


def _head(args: argparse.Namespace) -> Head | None:
    """The last line as somebody else knows it."""
    if args.head:
        try:
            return Head.parse(args.head)
        except ValueError as error:
            raise Failure(f"--head: {error}") from None
    if not args.status:
        return None
    status = usage.ask(args.status)
    try:
        return Head.parse(status.values["audit"]["head"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(f"{status.where}: it tells no head of an audit log") from None


def _all(paths: list[str]) -> list[str]:
    """The files as they were written; of one alone those, too, that were rotated from it."""
    return paths if len(paths) > 1 else [*_rotated(paths[0]), *paths]


def _rotated(path: str) -> Iterator[str]:
    """``PATH.2``, ``PATH.1``: the oldest first."""
    directory, name = os.path.split(path)
    numbers = []
    with suppress(OSError):
        for other in os.listdir(directory or "."):
            found = re.fullmatch(re.escape(name) + r"\.([0-9]+)", other)
            if found is not None:
                numbers.append(int(found[1]))
    for number in sorted(numbers, reverse=True):
        yield f"{path}.{number}"
