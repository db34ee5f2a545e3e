"""Authorizers that fail on purpose, for trying out what operations make of it."""

from zope.interface import implementer

from rserpool.security.decisions import Decision, Request, Subject, deny
from rserpool.security.interfaces import IAuthorizer


@implementer(IAuthorizer)
class RefuseAll:
    """Denies everything."""

    def decide(self, subject: Subject, request: Request) -> Decision:
        """Deny."""
        return deny("refuse-all is configured", "refuse-all")


@implementer(IAuthorizer)
class RaiseAlways:
    """Raises; the gate makes a denial of it."""

    def decide(self, subject: Subject, request: Request) -> Decision:
        """Raise."""
        raise RuntimeError("raise-always is configured")


def refuse_all(args: str) -> RefuseAll:
    """Make the authorizer that denies everything."""
    return RefuseAll()


def raise_always(args: str) -> RaiseAlways:
    """Make the authorizer that raises each time."""
    return RaiseAlways()
