"""Who may do what where no rules file says otherwise."""

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

_DENIED = deny("it has proven no name", "allow-proven")


@implementer(IAuthorizer)
class AllowProven:
    """
    Whoever has proven a name may do what its listener offers; others may resolve.

    "For PSK, having a pre-shared-key constitutes authorization" (RFC 5352 section 9.2).
    """

    def decide(self, subject: Subject, request: Request) -> Decision:
        """Allow by the proof alone."""
        if subject.proven:
            return ALLOW
        if subject.proof is Proof.ANONYMOUS and request.permission in (RESOLVE, UNREACHABLE):
            return ALLOW
        return _DENIED


def allow_proven(args: str) -> AllowProven:
    """Make what stands where neither rules nor an authorizer are configured."""
    return AllowProven()
