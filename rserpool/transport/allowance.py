"""Who may connect at all: connections in all and by address, and failed handshakes."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

import attrs

from rserpool.security.budgets import Budget, Rate
from rserpool.security.decisions import network

_FAILURES = Rate(10, 100)
#: Handshakes that the peer gives up cost time, too, but guess no key, and are honest mostly:
#: an element that looks for a home calls three registrars and keeps one (RFC 5352 section
#: 3.6).  So many more of them are allowed than of those that fail.
_GIVEN_UP = 20


@attrs.frozen(kw_only=True)
class ConnectionLimits:
    """
    Bounds of one registrar's listeners together; 0 switches one off.

    Each stops an attacker who needs no key from taking what honest peers need: sockets,
    memory (27 KiB for each TLS connection), and the time of handshakes (half a millisecond
    each).  The principal's bounds stop one with a key that comes from many addresses.
    """

    connections: int = 20_000
    connections_per_address: int = 2_000
    connections_per_principal: int = 2_000
    #: New ones, by address, and by principal once there is one: stops reconnecting again
    #: and again, of which each costs a handshake and gains nothing.
    rate: Rate = Rate(50, 2000)
    handshake_failures: Rate = _FAILURES
    #: False: who is over a rate is counted, and let in all the same.
    enforced: bool = True


class Allowance:
    """
    Counts connections, in all, by address and by principal, and failed handshakes.

    :ivar refused: connections that were not let in.
    :ivar over_limit: by which limit, enforced or not.
    """

    def __init__(self, limits: ConnectionLimits, seconds: Callable[[], float]) -> None:
        self._limits = limits
        self._seconds = seconds
        self._by_address: dict[str, int] = {}
        self._by_principal: dict[str, int] = {}
        self._total = 0
        rate = limits.handshake_failures
        self._failures = Budget(rate, "failed handshakes")
        more = Rate(rate.per_second * _GIVEN_UP, rate.burst * _GIVEN_UP)
        self._given_up = Budget(more, "handshakes given up")
        self._new = Budget(limits.rate, "new connections")
        self._new_of_principals = Budget(limits.rate, "new connections")
        self.refused = 0
        self.failed_handshakes = 0
        self.over_limit = {"connections": 0, "connection-rate": 0, "handshake-failures": 0}

    def objection(self, address: str) -> str:
        """Why one more connection from this address may not be; empty: it may."""
        limits, key = self._limits, network(address)
        if limits.connections and self._total >= limits.connections:
            return self._over("connections", "too many connections")
        per = limits.connections_per_address
        if per and self._by_address.get(key, 0) >= per:
            return self._over("connections", "too many connections from its address")
        now = self._seconds()
        if self._failures.spent(key, now) or self._given_up.spent(key, now):
            words = "too many failed handshakes from its address"
            return self._rated("handshake-failures", words)
        if self._new.spent(key, now):
            return self._rated("connection-rate", "it connects again and again")
        return ""

    def opened(self, address: str) -> None:
        """One more is open."""
        key = network(address)
        self._by_address[key] = self._by_address.get(key, 0) + 1
        self._total += 1
        self._new.spend(key, self._seconds())

    def closed(self, address: str) -> None:
        """One less is."""
        key = network(address)
        self._total -= 1
        self._by_address[key] -= 1
        if not self._by_address[key]:
            del self._by_address[key]

    def entered(self, principal: str) -> str:
        """Count one more of a principal; or why it may not be."""
        count, most = (
            self._by_principal.get(principal, 0),
            self._limits.connections_per_principal,
        )
        if most and count >= most:
            return self._over("connections", "too many connections of this principal")
        if not self._new_of_principals.spend(principal, self._seconds()).allowed:
            words = self._rated("connection-rate", "this principal connects again and again")
            if words:
                return words
        self._by_principal[principal] = count + 1
        return ""

    def left(self, principal: str) -> None:
        """One less of a principal."""
        self._by_principal[principal] -= 1
        if not self._by_principal[principal]:
            del self._by_principal[principal]

    def failed(self, address: str, *, given_up: bool = False) -> None:
        """A handshake has failed; or the peer has given it up."""
        self.failed_handshakes += 1
        budget = self._given_up if given_up else self._failures
        budget.spend(network(address), self._seconds())

    def __len__(self) -> int:
        return self._total

    def _over(self, limit: str, words: str) -> str:
        self.over_limit[limit] += 1
        return words

    def _rated(self, limit: str, words: str) -> str:
        """What exceeding a rate leads to: see `ConnectionLimits.enforced`."""
        self.over_limit[limit] += 1
        return words if self._limits.enforced else ""


def plain_address(host: str) -> str:
    """An address as text, without zone, and IPv4 as IPv4 even where it came as IPv6."""
    parsed = ip_address(host.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)
