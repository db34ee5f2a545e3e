"""What the doctor finds: how bad it is, what, where, and what to do."""

from enum import Enum
from typing import Any

import attrs


class Severity(Enum):
    """How bad it is; in this order."""

    ERROR = "error"  # something doesn't work, or is open to others
    WARNING = "warning"  # it works, but not well, or not for long
    NOTE = "note"  # nothing is wrong


@attrs.frozen
class Finding:
    """
    One thing that was found.

    :ivar check: which kind of thing, in a word that stays the same: for programs.
    :ivar where: ``file:line``, or an endpoint.
    """

    severity: Severity
    check: str
    what: str
    where: str = ""
    do: str = ""

    @property
    def wrong(self) -> bool:
        """Whether somebody ought to do something."""
        return self.severity is not Severity.NOTE

    def value(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "severity": self.severity.value, "check": self.check, "what": self.what,
            "where": self.where or None, "do": self.do or None,
        }  # fmt: skip

    def lines(self) -> list[str]:
        """Return it for people."""
        where = f"{self.where}: " if self.where else ""
        lines = [f"{self.severity.value:8} {where}{self.what}"]
        return [*lines, f"         -> {self.do}"] if self.do else lines


def error(check: str, what: str, where: str = "", do: str = "") -> Finding:
    """Make one of the worst kind."""
    return Finding(Severity.ERROR, check, what, where, do)


def warning(check: str, what: str, where: str = "", do: str = "") -> Finding:
    """Make one of the middle kind."""
    return Finding(Severity.WARNING, check, what, where, do)


def note(check: str, what: str, where: str = "", do: str = "") -> Finding:
    """Make one that is only worth knowing."""
    return Finding(Severity.NOTE, check, what, where, do)


def in_order(found: list[Finding]) -> list[Finding]:
    """Return the worst first; what was found first stays before the rest of its kind."""
    order = list(Severity)
    return sorted(found, key=lambda one: order.index(one.severity))
