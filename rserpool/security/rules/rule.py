"""One rule: a permission path, or the denial of one."""

from collections.abc import Iterable, Sequence

import attrs

from rserpool.security.decisions import PERMISSIONS

#: Permissions there may be one day, of whatever name: ``admin``, or ``admin.*``.
ADMIN = "admin"


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
        parts = tuple((ADMIN if path == f"{ADMIN}.*" else path).split("."))
        rule = cls(parts, allow=path == text)
        if parts[0] == ADMIN and all(part.isidentifier() for part in parts):
            return rule
        if not rule.among(PERMISSIONS):
            star = path.removesuffix(".*")
            hint = f": write {star!r}, which matches all that begins with it"
            raise ValueError(
                f"{path!r} isn't a permission, nor the beginning of one"
                f"{hint if star != path else ''}"
            )
        return rule

    def matches(self, permission: Sequence[str]) -> bool:
        """Whether this rule says anything about `permission`."""
        return tuple(permission[: len(self.path)]) == self.path

    def among(self, permissions: Iterable[str]) -> frozenset[str]:
        """Which of these it matches."""
        return frozenset(one for one in permissions if self.matches(one.split(".")))

    def covers(self, other: "Rule") -> bool:
        """Whether all that `other` matches is matched by this one."""
        return other.path[: len(self.path)] == self.path

    def __str__(self) -> str:
        return ("" if self.allow else "!") + ".".join(self.path)


def first(rules: Iterable[Rule], permission: Sequence[str]) -> Rule | None:
    """The first rule that matches: it decides."""
    return next((rule for rule in rules if rule.matches(permission)), None)
