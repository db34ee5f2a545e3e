"""``authorizer = "sqlite:FILE"``: who may do what, by the table of rules."""

import os

from zope.interface import implementer

from rserpool.security.decisions import (
    ALLOW,
    RESOLVE,
    UNREACHABLE,
    Decision,
    Proof,
    Request,
    Subject,
    deny,
)
from rserpool.security.interfaces import IAuthorizer
from rserpool_auth_sqlite.database import read_rules


@implementer(IAuthorizer)
class SQLiteRules:
    """Everybody may resolve and report; the rest by rules."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._rules = read_rules(self._path)

    def decide(self, subject: Subject, request: Request) -> Decision:
        """Answer from memory."""
        if subject.proof is Proof.PLAIN:
            return deny("it has no TLS", "sqlite")
        if request.permission in (RESOLVE, UNREACHABLE):
            return ALLOW
        if not subject.proven:
            return deny("it has proven no name", "sqlite")
        for rule in self._rules.get(subject.name, ()):
            if f"{request.permission}.".startswith(f"{rule}."):
                words = f"the rule {rule!r} allows it"
                return Decision(True, words, "sqlite", rule, f"rules of {subject.name}")
        return deny("no rule allows it", "sqlite")

    def reload(self) -> None:
        """Read the database again; an exception leaves what was read last."""
        self._rules = read_rules(self._path)
