"""
Who asks, for what, and what was decided: the values that pass through the gate.

The registrar imports this module and :mod:`rserpool.security.interfaces`, and
nothing else of the security layer.
"""

import enum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

import attrs


class Proof(enum.Enum):
    """How a peer has proven who it is (RFC 5355 section 3.1)."""

    PLAIN = "plain"  # no TLS at all: an address, nothing more
    ANONYMOUS = "anonymous"  # TLS, but the client showed neither key nor certificate
    PSK = "psk"  # it holds the pre-shared key of its identity
    CERTIFICATE = "certificate"  # it holds the private key of a certificate we trust


@attrs.frozen
class Restrictions:
    """
    What a credential is good for, beside proving a name.

    Empty means no restriction; `networks` widens instead: an element may register
    addresses in these networks, too, and not only those of its own connection.
    """

    pe_ids: frozenset[int] = frozenset()
    pools: frozenset[bytes] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


NO_RESTRICTIONS = Restrictions()


@attrs.frozen(eq=False)
class Subject:
    """
    The party at the other end of one connection, settled before the core hears of it.

    Compared by identity: each connection has a subject of its own.
    """

    name: str  # the principal: ``web-1``, ``dns:pu.example``, ``anonymous``, ``plain``
    proof: Proof
    address: str  # the peer's IP address, as text
    identity: str = ""  # what was shown: ``web-1~2``; the principal without its generation
    restrictions: Restrictions = NO_RESTRICTIONS
    valid_until: float | None = None  # seconds since the epoch; None is for ever
    #: Under which its budgets are kept: the principal, or the address of one that has
    #: proven nothing, so that reconnecting gains nothing (RFC 5355 section 2.13).
    key: str = attrs.field(init=False)

    @key.default
    def _key(self) -> str:
        # A colon stands in no identity, so that nobody's name is an address.
        return self.name if self.proven else f"address:{network(self.address)}"

    @property
    def proven(self) -> bool:
        """Whether it has proven a name of its own."""
        return self.proof in (Proof.PSK, Proof.CERTIFICATE)


def network(address: str) -> str:
    """
    Under which an address counts: a host of IPv6 has a /64 to choose addresses from.

    What is no address counts as it is.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address


# The permissions there are; a rule matches them element by element as a prefix.
REGISTER_NEW = "asap.register.new"  # makes a pool
REGISTER_JOIN = "asap.register.join"  # becomes one more element of a pool
REGISTER_RENEW = "asap.register.renew"  # registers its own element again
DEREGISTER = "asap.deregister"
RESOLVE = "asap.resolve"
UNREACHABLE = "asap.unreachable"
PRESENCE = "enrp.presence"
LIST = "enrp.list"
TABLE = "enrp.table"
UPDATE = "enrp.update"
TAKEOVER = "enrp.takeover"
PERMISSIONS = frozenset({
    REGISTER_NEW, REGISTER_JOIN, REGISTER_RENEW, DEREGISTER, RESOLVE, UNREACHABLE,
    PRESENCE, LIST, TABLE, UPDATE, TAKEOVER,
})  # fmt: skip


#: Which of them are asked of a pool, and which of a registrar: a gate decides those alone.
OF_POOLS = frozenset(p for p in PERMISSIONS if p.startswith("asap.")) | {UPDATE}
OF_PEERS = frozenset(p for p in PERMISSIONS if p.startswith("enrp."))
#: What is open to who has proven nothing, if the authorizer allows it; nothing else ever is.
OPEN = frozenset({RESOLVE, UNREACHABLE})


def unproven(proof: Proof, permission: str) -> str:
    """
    Why no rule and no admin can allow this, whoever asks: empty if they can.

    Only who has proven a name registers, or speaks as a registrar (RFC 5355 section 3.1).
    """
    if proof is not Proof.ANONYMOUS or permission in OPEN:
        return ""
    what = "de-register" if permission == DEREGISTER else "do this"
    return f"only who has proven a name may {_REGISTER.get(permission, what)}"


_REGISTER = dict.fromkeys((REGISTER_NEW, REGISTER_JOIN, REGISTER_RENEW), "register")


@attrs.frozen
class Request:
    """One thing that a subject wants to do, and to what."""

    permission: str
    pool: bytes | None = None  # the pool handle
    peer: str | None = None  # the registrar concerned


@attrs.frozen
class Decision:
    """
    May it, and why: all but `allowed` is for the log and for ``rserpool explain``.

    A peer never learns more than the cause code (RFC 5354 section 3.12.10).
    """

    allowed: bool
    reason: str
    by: str = ""  # which plugin
    rule: str = ""  # the rule that decided, as it is written: ``!asap.register``
    of: str = ""  # whose rule it was: ``users.web-1``, ``gates.'pool:web'.roles.own``

    @property
    def source(self) -> str:
        """Who decided, and by whose rule."""
        return f"{self.by}: {self.of}" if self.of else self.by


class Mode(enum.Enum):
    """What a denial leads to."""

    ENFORCE = "enforce"
    REPORT = "report"  # it is written down and counted, and what was asked for is done


#: Who decides by how often: a denial by it is of this moment only.
LIMITS = "limits"
ALLOW = Decision(allowed=True, reason="allowed")


def deny(reason: str, by: str = "") -> Decision:
    """A refusal; `reason` goes to the log and never to the peer."""
    return Decision(allowed=False, reason=reason, by=by)
