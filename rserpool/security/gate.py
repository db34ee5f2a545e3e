"""
The gate: the one place where the core asks, and the place where everything fails closed.

All must allow.  Nothing configured, an exception, or an answer that isn't a decision is a
denial.
"""

from twisted.logger import Logger
from zope.interface import implementer

from rserpool.security.decisions import (
    ALLOW,
    RESOLVE,
    Decision,
    Proof,
    Request,
    Subject,
    deny,
)
from rserpool.security.interfaces import IAuthorizer, IGate, IRateLimit

_PLAIN = deny("plain connections may not do this on a secure registrar", "gate")
_NONE = deny("nothing is configured that could allow it", "gate")
_RESTRICTED = deny("the credential is for other pools", "gate")
_BROKEN = deny("the security layer failed; see the log", "gate")


@implementer(IGate)
class Gate:
    """
    Asks the authorizer, then the limits.

    :param authorizer: None: nobody but plain peers of an insecure registrar may anything.
    :param limits: None: nobody may anything.
    :param required: security is required (RFC 5355 section 3.1): a plain connection gets
        nothing.  Otherwise plain connections are all there are, and aren't asked for.
    :param plain_resolution: answer plain resolutions on a secure registrar all the same
        (RFC 5352 section 9.3).
    """

    _log = Logger(namespace="rserpool.security")

    def __init__(
        self,
        authorizer: IAuthorizer | None,
        limits: IRateLimit | None,
        *,
        required: bool,
        plain_resolution: bool = False,
    ) -> None:
        self.authorizer = authorizer
        self.limits = limits
        self._required = required
        self._plain_resolution = plain_resolution

    def ask(self, subject: Subject, request: Request, now: float) -> Decision:
        """May `subject` do this now?  Never raises."""
        try:
            if subject.proof is Proof.PLAIN:
                decision = self._plain(request)
            else:
                decision = self._proven(subject, request)
            if decision.allowed is not True:
                return decision
            if self.limits is None:
                return _NONE
            decision = self.limits.spend(subject, request, now)
            # Whatever isn't a decision has no `allowed` and ends below.
            return ALLOW if decision.allowed is True else decision
        except Exception:
            self._log.failure(
                "a security plugin failed, which denies {permission} to {name}",
                permission=request.permission,
                name=subject.name,
            )
            return _BROKEN

    def _plain(self, request: Request) -> Decision:
        if not self._required:
            return ALLOW
        return ALLOW if self._plain_resolution and request.permission == RESOLVE else _PLAIN

    def _proven(self, subject: Subject, request: Request) -> Decision:
        pools = subject.restrictions.pools
        if pools and request.permission != RESOLVE and request.pool not in pools:
            return _RESTRICTED
        return _NONE if self.authorizer is None else self.authorizer.decide(subject, request)
