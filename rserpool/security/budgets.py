"""
How often: budgets by principal, or by address of who has proven nothing.

A budget is one number, the time at which it is full again (the generic cell rate
algorithm), so that a request costs a look-up, a comparison and a store.
"""

import attrs
from zope.interface import implementer

from rserpool.security.decisions import (
    ALLOW,
    DEREGISTER,
    LIMITS,
    LIST,
    PRESENCE,
    REGISTER_JOIN,
    REGISTER_NEW,
    REGISTER_RENEW,
    RESOLVE,
    TABLE,
    TAKEOVER,
    UNREACHABLE,
    UPDATE,
    Decision,
    Request,
    Subject,
    deny,
)
from rserpool.security.interfaces import IRateLimit

#: Budgets remembered for one kind: an attacker may use as many addresses as it has.
MAXIMUM_BUDGETS = 100_000


@attrs.frozen
class Rate:
    """So many a second on the average, and so many at once; a rate of 0 is no limit."""

    per_second: float
    burst: float


@attrs.frozen(kw_only=True)
class Rates:
    """The budgets of one principal; each is far above what an honest one needs."""

    #: Stops registration floods with one valid key (RFC 5355 section 2.1): each costs
    #: memory here and traffic to all peers.  One principal may be a host of many elements.
    registrations: Rate = Rate(100, 2000)
    #: Stops de-registration floods, each told to all peers and watchers, without making an
    #: element that leaves pay for those that come.
    deregistrations: Rate = Rate(100, 2000)
    #: Stops resolution floods, which take the time of honest pool users.
    resolutions: Rate = Rate(5000, 20000)
    #: Stops report floods (section 2.13): each may cost a keep-alive to an element.
    unreachables: Rate = Rate(5, 20)
    # What one other registrar may send: it has a key, and may have been taken over
    # (RFC 5355 sections 2.5 to 2.11).  Answers to our own requests count as well.
    #: Stops presence floods: each may ask for an answer, and may begin an audit.
    presences: Rate = Rate(20, 200)
    #: Stops floods of list requests: each is answered with all peers.
    lists: Rate = Rate(5, 50)
    #: Stops downloading again and again: each request is answered by 64 KiB.  One of
    #: 100,000 elements takes 350 requests, each sent when the one before is answered.
    tables: Rate = Rate(2000, 5000)
    #: Stops update floods: each costs memory here, and an update to pool users.
    updates: Rate = Rate(20_000, 200_000)
    #: Stops proposing takeovers of everybody: each is told to all, and moves elements.
    takeovers: Rate = Rate(1, 20)


class Budget:
    """One kind of request."""

    def __init__(self, rate: Rate, what: str) -> None:
        self._each = 1.0 / rate.per_second if rate.per_second else 0.0
        # A little more, or rounding would take the last one of a burst away.
        self._ahead = self._each * (max(rate.burst, 1.0) - 1.0 + 1e-3)
        self._full: dict[str, float] = {}
        self._denied = deny(f"over its budget of {what}", LIMITS)

    def spend(self, key: str, now: float) -> Decision:
        """Take one, or deny."""
        each = self._each
        if not each:
            return ALLOW
        full = self._full.get(key, now)
        if full < now:
            full = now
        if full - now > self._ahead:
            return self._denied
        self._full[key] = full + each
        if len(self._full) > MAXIMUM_BUDGETS:
            self._forget(now)
        return ALLOW

    def spent(self, key: str, now: float) -> bool:
        """Whether nothing is left of it."""
        return bool(self._each) and self._full.get(key, now) - now > self._ahead

    def _forget(self, now: float) -> None:
        """
        Forget budgets that are full again; if there are none, those nearest to it.

        A full budget is as good as a new one, so nobody gains by being forgotten more
        than the least that could be.  A tenth is left free: were it one, whoever has
        so many addresses would have all of them looked through at each request.
        """
        kept = {key: full for key, full in self._full.items() if full > now}
        most = MAXIMUM_BUDGETS - MAXIMUM_BUDGETS // 10
        if len(kept) > most:
            order = sorted(kept, key=kept.__getitem__)
            for key in order[: len(order) - most]:
                del kept[key]
        self._full = kept


@implementer(IRateLimit)
class Budgets:
    """The budgets of everybody."""

    def __init__(self, rates: Rates) -> None:
        registrations = Budget(rates.registrations, "registrations")
        self._kinds = {
            REGISTER_NEW: registrations,
            REGISTER_JOIN: registrations,
            REGISTER_RENEW: registrations,
            DEREGISTER: Budget(rates.deregistrations, "de-registrations"),
            RESOLVE: Budget(rates.resolutions, "resolutions"),
            UNREACHABLE: Budget(rates.unreachables, "unreachable reports"),
            PRESENCE: Budget(rates.presences, "presences"),
            LIST: Budget(rates.lists, "peer lists"),
            TABLE: Budget(rates.tables, "handle tables"),
            UPDATE: Budget(rates.updates, "handle updates"),
            TAKEOVER: Budget(rates.takeovers, "takeovers"),
        }

    def spend(self, subject: Subject, request: Request, now: float) -> Decision:
        """Take one from the subject's budget for this kind of request, or deny."""
        return self._kinds[request.permission].spend(subject.key, now)
