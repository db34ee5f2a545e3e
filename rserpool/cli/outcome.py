"""How a command ends: what it prints, and its exit status."""

import json
import sys
from typing import Any

#: Exit statuses: done; the answer is no; it could not be asked; Ctrl-C.
DONE, NO, FAILED, INTERRUPTED = 0, 1, 2, 130


class Failure(Exception):
    """A command could not do what it was asked for; the message says what to do."""

    status = FAILED


class Negative(Failure):
    """The answer is no."""

    status = NO


def tell(value: dict[str, Any], as_json: bool, *lines: str) -> None:
    """Print a result: as JSON for programs, or as lines for people."""
    if as_json:
        print(json.dumps(value))
    else:
        for line in lines:
            print(line)
    sys.stdout.flush()
