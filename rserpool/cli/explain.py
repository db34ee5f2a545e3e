"""``rserpool explain``: which rule decides, and why."""

import argparse

import attrs

from rserpool.cli.outcome import DONE, NO, Failure, tell
from rserpool.security.decisions import (
    OF_PEERS,
    OF_POOLS,
    PERMISSIONS,
    Decision,
    Proof,
    Request,
    Subject,
    deny,
    unproven,
)
from rserpool.security.interfaces import IAuthorizer, Key
from rserpool.security.plugin import make_authorizer
from rserpool.security.rules.policy import NAMELESS


def explain(args: argparse.Namespace) -> int:
    """Ask an authorizer as the registrar would; of several permissions all must be allowed."""
    asked = _permissions(args.permission, args.gate or "")
    authorizer = _authorizer(args)
    found = {one: _decision(authorizer, args, one) for one in asked}
    denied = [decision for decision in found.values() if not decision.allowed]
    decision = (denied or [*found.values()])[0]
    value = _value(decision)
    if len(found) > 1:
        value["permissions"] = {one: _value(each) for one, each in found.items()}
    lines = [_words(each, one if len(found) > 1 else "") for one, each in found.items()]
    tell(value, args.json, *lines)
    return NO if denied else DONE


def _authorizer(args: argparse.Namespace) -> IAuthorizer:
    """The rules file, or whatever a plugin has instead."""
    try:
        return make_authorizer(args.authorizer or f"rules:{args.rules}")
    except OSError as error:
        raise Failure(f"{error.filename}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise Failure(str(error)) from None


def _permissions(text: str, gate: str) -> list[str]:
    """The permissions of this name, or that begin with it; those that a gate may decide."""
    if f"{text}.".startswith("admin."):
        return [text]
    found = [one for one in sorted(PERMISSIONS) if f"{one}.".startswith(f"{text}.")]
    if not found:
        known = ", ".join(sorted(PERMISSIONS))
        raise Failure(f"{text!r} isn't a permission; there are {known}")
    asked = PERMISSIONS
    if gate.startswith(("peer:", "pool:", "pool-hex:")):
        asked = OF_PEERS if gate.startswith("peer:") else OF_POOLS
    decided = [one for one in found if one in asked]
    if not decided:
        raise Failure(f"{text} isn't asked of {gate}: the registrar doesn't look at it then")
    return decided


def _decision(authorizer: IAuthorizer, args: argparse.Namespace, permission: str) -> Decision:
    """What the gate would say: first what no rule can lift, then the authorizer."""
    proof = _proof(args.principal)
    words = unproven(proof, permission)
    if words:
        return deny(words, "invariant")
    # A key of another generation is the same principal.
    name = Key(args.principal, b"").principal
    request = _request(args.gate or "", permission)
    if permission in OF_PEERS and request.peer is None:
        request = attrs.evolve(request, peer=name)  # what it says, it says of itself
    try:
        return authorizer.decide(Subject(name, proof, "", args.principal), request)
    except Exception as error:  # a plugin's, which the gate takes for a denial, too
        return deny(f"the authorizer failed with {type(error).__name__}: {error}", "gate")


def _value(decision: Decision) -> dict[str, object]:
    return {
        "allowed": decision.allowed,
        "reason": decision.reason,
        "rule": decision.rule,
        "of": decision.of,
        "by": decision.source,
    }


def _words(decision: Decision, permission: str) -> str:
    verdict = "yes" if decision.allowed else "no"
    what = f"{permission}: " if permission else ""
    return f"{what}{verdict}: {decision.reason} ({decision.source})"


def _proof(principal: str) -> Proof:
    if principal == NAMELESS:
        return Proof.ANONYMOUS
    return Proof.CERTIFICATE if principal.startswith(("dns:", "uri:")) else Proof.PSK


def _request(gate: str, permission: str) -> Request:
    kind, _, name = gate.partition(":")
    if kind == "peer":
        return Request(permission, peer=name)
    if kind in ("pool", "pool-hex"):
        try:
            handle = bytes.fromhex(name) if kind == "pool-hex" else name.encode()
        except ValueError:
            raise Failure(f"{gate!r}: after pool-hex: come hexadecimal digits") from None
        return Request(permission, pool=handle)
    if kind:
        raise Failure(f"{gate!r} isn't a gate: write pool:HANDLE, pool-hex:HEX or peer:NAME")
    return Request(permission)
