"""
The evaluator: locked, gates, admin, user, roles, deny, in this order.

One function decides, for the gate, for ``rserpool explain`` and for whoever else wants to
know; which rule it was, and whose, is in the decision.
"""

from collections.abc import Iterator, Mapping

import attrs

from rserpool.security.decisions import Decision, Proof, Request, deny
from rserpool.security.rules.rule import Rule, first

Rules = tuple[Rule, ...]
BY = "rules"
#: The principal of all who have proven nothing; nobody has proven to be it.
NAMELESS = "anonymous"
#: What those may who have proven nothing, unless the file has a role of that name.
ANONYMOUS: Rules = (Rule.parse("asap.resolve"), Rule.parse("asap.unreachable"))


@attrs.frozen
class User:
    """One principal."""

    rules: Rules = ()
    roles: tuple[str, ...] = ()
    admin: bool = False
    locked: bool = False


@attrs.frozen
class Gate:
    """Rules for one pool or one peer."""

    users: Mapping[str, Rules] = attrs.field(factory=dict)
    roles: Mapping[str, Rules] = attrs.field(factory=dict)


@attrs.frozen
class Policy:
    """
    What a rules file says.

    :ivar pools, peers: the gates, by pool handle and by the name of a peer.
    """

    users: Mapping[str, User] = attrs.field(factory=dict)
    roles: Mapping[str, Rules] = attrs.field(factory=dict)
    pools: Mapping[bytes, Gate] = attrs.field(factory=dict)
    peers: Mapping[str, Gate] = attrs.field(factory=dict)

    def decide(self, name: str, proof: Proof, request: Request) -> Decision:
        """May the principal of this name, proven so, do this?"""
        if (name == NAMELESS) is not (proof is Proof.ANONYMOUS):
            return deny(f"{name!r} and {proof.value} can't be together", BY)
        user = self.users.get(name, _NOBODY)
        if user.locked:
            return Decision(False, "the user is locked", BY, of=f"users.{name}.locked")
        permission = request.permission.split(".")
        roles = self._held(user, proof)
        rule, whose = self._gated(name, roles, permission, request)
        if rule is None and user.admin:
            return Decision(True, "the user is an admin", BY, of=f"users.{name}.admin")
        if rule is None:
            rule, whose = first(user.rules, permission), f"users.{name}"
        for role in roles:
            if rule is None:
                rule, whose = first(self._of(role), permission), f"roles.{role}"
        if rule is None:
            return deny("no rule allows it", BY)
        verb = "allows" if rule.allow else "denies"
        words = f"the rule {str(rule)!r} {verb} it"
        return Decision(rule.allow, words, BY, rule=str(rule), of=whose)

    def _gated(
        self, name: str, roles: tuple[str, ...], permission: list[str], request: Request
    ) -> tuple[Rule | None, str]:
        """What the gates say, for the user first."""
        for gate, title in self._gates(request):
            rule = first(gate.users.get(name, ()), permission)
            if rule is not None:
                return rule, f"gates.{title!r}.users.{name}"
        for gate, title in self._gates(request):
            for role in roles:
                rule = first(gate.roles.get(role, ()), permission)
                if rule is not None:
                    return rule, f"gates.{title!r}.roles.{role}"
        return None, ""

    def _gates(self, request: Request) -> Iterator[tuple[Gate, str]]:
        if request.pool is not None and request.pool in self.pools:
            yield self.pools[request.pool], _titled(request.pool)
        if request.peer is not None and request.peer in self.peers:
            yield self.peers[request.peer], f"peer:{request.peer}"

    def _held(self, user: User, proof: Proof) -> tuple[str, ...]:
        """The roles of a user: its own in their order, then those that follow from proof."""
        if proof is Proof.ANONYMOUS:
            return ("anonymous",)
        return (*user.roles, proof.value, "all")

    def _of(self, role: str) -> Rules:
        return self.roles.get(role, ANONYMOUS if role == "anonymous" else ())


def _titled(handle: bytes) -> str:
    """A pool's gate as the file calls it: by text where the handle is UTF-8 for people."""
    try:
        text = handle.decode()
    except UnicodeDecodeError:
        text = ""
    return f"pool:{text}" if text.isprintable() and text else f"pool-hex:{handle.hex()}"


_NOBODY = User()
