"""One rule: a permission path, or the denial of one."""

from collections.abc import Iterable, Sequence

import attrs

from rserpool.security.decisions import PERMISSIONS


@attrs.frozen
class Rule:
    """
    Allows or denies all permissions that begin with `path`, element by element.

    ``asap`` matches ``asap.register.new``; it wouldn't match ``asapx``.
    """

    path: tuple[str, ...]
    allow: bool

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """
        Read ``asap.register`` or ``!asap.register``.

        :raise ValueError: there is no such permission.
        """
        path = text.removeprefix("!")
        rule = cls(tuple(path.split(".")), allow=path == text)
        if (
            path != "admin"
            and not path.startswith("admin.")
            and not any(
                rule.matches(tuple(permission.split("."))) for permission in PERMISSIONS
            )
        ):
            raise ValueError(f"{path!r} isn't a permission, nor the beginning of one")
        return rule

    def matches(self, permission: Sequence[str]) -> bool:
        """Whether this rule says anything about `permission`."""
        return tuple(permission[: len(self.path)]) == self.path

    def covers(self, other: "Rule") -> bool:
        """Whether all that `other` matches is matched by this one."""
        return other.path[: len(self.path)] == self.path

    def __str__(self) -> str:
        return ("" if self.allow else "!") + ".".join(self.path)


def first(rules: Iterable[Rule], permission: Sequence[str]) -> Rule | None:
    """The first rule that matches: it decides."""
    return next((rule for rule in rules if rule.matches(permission)), None)
