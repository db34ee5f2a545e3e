"""``rserpool explain``: which rule decides, and why."""

import argparse

from rserpool.cli.outcome import DONE, NO, Failure, tell
from rserpool.security.decisions import PERMISSIONS, Proof, Request
from rserpool.security.interfaces import Key
from rserpool.security.rules.file import load


def explain(args: argparse.Namespace) -> int:
    """Ask a rules file as the registrar would."""
    if args.permission not in PERMISSIONS and not args.permission.startswith("admin."):
        known = ", ".join(sorted(PERMISSIONS))
        raise Failure(f"{args.permission!r} isn't a permission; there are {known}")
    try:
        policy = load(args.rules)
    except OSError as error:
        raise Failure(f"{args.rules}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise Failure(str(error)) from None
    # A key of another generation is the same principal.
    name = Key(args.principal, b"").principal
    decision = policy.decide(name, _proof(args), _request(args))
    verdict = "yes" if decision.allowed else "no"
    tell(
        {
            "allowed": decision.allowed,
            "reason": decision.reason,
            "rule": decision.rule,
            "of": decision.of,
            "by": decision.source,
        },
        args.json,
        f"{verdict}: {decision.reason} ({decision.source})",
    )
    return DONE if decision.allowed else NO


def _proof(args: argparse.Namespace) -> Proof:
    if args.principal == "anonymous":
        return Proof.ANONYMOUS
    named = args.principal.startswith(("dns:", "uri:"))
    return Proof.CERTIFICATE if named else Proof.PSK


def _request(args: argparse.Namespace) -> Request:
    kind, _, name = (args.gate or "").partition(":")
    if kind == "peer":
        return Request(args.permission, peer=name)
    if kind in ("pool", "pool-hex"):
        try:
            handle = bytes.fromhex(name) if kind == "pool-hex" else name.encode()
        except ValueError:
            raise Failure(f"{args.gate!r}: after pool-hex: come hexadecimal digits") from None
        return Request(args.permission, pool=handle)
    if kind:
        raise Failure(
            f"{args.gate!r} isn't a gate: write pool:HANDLE, pool-hex:HEX or peer:NAME"
        )
    return Request(args.permission)
