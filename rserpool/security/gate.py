"""
The gate: the one place where the core asks, and the place where everything fails closed.

All must allow.  Nothing configured, an exception, or an answer that isn't a decision is a
denial.

Note [Trying out]

With `Mode.REPORT` a denial by the authorizer, or by the limits, is counted and told, and what
was asked for is done all the same: so an operator learns what new rules or limits would do.
It lifts nothing else: a plain connection of a secure registrar, who has proven no name and
wants to register, a credential for other pools, a plugin that fails or isn't there still deny,
and so do the core's own invariants.

Note [Denied again and again]

To deny costs as much time as to allow, and needs no key: thousands of registrations a second
by nobody in particular are an attack, too (RFC 5355 section 2.1).  So a denial takes from the
same budget, and who is over it is told to be over a limit, which makes its connection rest.
"""

from collections.abc import Callable

from twisted.logger import Logger
from zope.interface import implementer

from rserpool.security.decisions import (
    ALLOW,
    PERMISSIONS,
    RESOLVE,
    Decision,
    Mode,
    Proof,
    Request,
    Subject,
    deny,
    unproven,
)
from rserpool.security.interfaces import IAuthorizer, IGate, IRateLimit

_PLAIN = deny("plain connections may not do this on a secure registrar", "gate")
_NONE = deny("nothing is configured that could allow it", "gate")
_RESTRICTED = deny("the credential is for other pools", "gate")
_BROKEN = deny("the security layer failed; see the log", "gate")

#: Told of a decision: who asked, for what, and what was decided.
Told = Callable[[Subject, Request, Decision], None]


def _denial(answer: object) -> Decision:
    """A denial as it was given; what only isn't an allowance is one, too, and says so."""
    if isinstance(answer, Decision) and answer.allowed is False:
        return answer
    kind = type(answer).__name__
    Gate.log.error("a security plugin answered with {kind}, which denies", kind=kind)
    return _BROKEN


def _nobody(subject: Subject, request: Request, decision: Decision) -> None:
    """Tell nobody."""


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
    :param authorization, limiting: what a denial by the one or the other leads to.
    :ivar on_allowed: told of whatever is allowed.
    :ivar on_reported: told of what would have been denied: see Note [Trying out].
    :ivar over_limit: denials by the limits, enforced or not, by permission.
    :ivar reported: denials by the authorizer that were not enforced, by permission.
    """

    log = Logger(namespace="rserpool.security")

    def __init__(
        self,
        authorizer: IAuthorizer | None,
        limits: IRateLimit | None,
        *,
        required: bool,
        plain_resolution: bool = False,
        authorization: Mode = Mode.ENFORCE,
        limiting: Mode = Mode.ENFORCE,
    ) -> None:
        self.authorizer = authorizer
        self.limits = limits
        self.on_allowed: Told = _nobody
        self.on_reported: Told = _nobody
        self.over_limit = dict.fromkeys(sorted(PERMISSIONS), 0)
        self.reported = dict.fromkeys(sorted(PERMISSIONS), 0)
        self._required = required
        self._plain_resolution = plain_resolution
        self._authorization = authorization
        self._limiting = limiting

    def ask(self, subject: Subject, request: Request, now: float) -> Decision:
        """
        May `subject` do this now?  Never raises.

        What is allowed is the authorizer's decision, with its rule.
        """
        try:
            if subject.proof is Proof.PLAIN:
                decision = self._plain(request)
            else:
                decision = self._proven(subject, request)
            if decision.allowed is not True:
                return self._denied(subject, request, _denial(decision), now)
            if self.limits is None:
                return _NONE
            spent = self.limits.spend(subject, request, now)
            if not isinstance(spent, Decision):
                return _denial(spent)
            if spent.allowed is not True and not self._excused(subject, request, spent):
                return _denial(spent)
            self.on_allowed(subject, request, decision)
            return decision
        except Exception:
            self.log.failure(
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
        words = unproven(subject.proof, request.permission)
        if words:
            return deny(words, "invariant")
        pools = subject.restrictions.pools
        if pools and request.permission != RESOLVE and request.pool not in pools:
            return _RESTRICTED
        if self.authorizer is None:
            return _NONE
        decision = self.authorizer.decide(subject, request)
        if not isinstance(decision, Decision):
            return _denial(decision)
        if decision.allowed is False and self._authorization is Mode.REPORT:
            self.reported[request.permission] += 1
            self.on_reported(subject, request, decision)
            return ALLOW
        return decision

    def _denied(
        self, subject: Subject, request: Request, denial: Decision, now: float
    ) -> Decision:
        """Deny; what is denied is paid for, too: see Note [Denied again and again]."""
        if self.limits is None:
            return denial
        spent = self.limits.spend(subject, request, now)
        if spent.allowed is not False:
            return denial
        self.over_limit[request.permission] += 1
        return spent if self._limiting is Mode.ENFORCE else denial

    def _excused(self, subject: Subject, request: Request, denial: Decision) -> bool:
        """Count what is over a limit; whether it is let pass."""
        self.over_limit[request.permission] += 1
        if denial.allowed is not False or self._limiting is Mode.ENFORCE:
            return False
        self.on_reported(subject, request, denial)
        return True
