"""``rserpool psk rotate``: a new key for a principal, and the end of its old one."""

import argparse
import os
import time
from contextlib import suppress
from pathlib import Path

from rserpool.cli import usage
from rserpool.cli.outcome import DONE, Failure, Negative, tell
from rserpool.cli.psk import KEY, explained
from rserpool.security.certificate.name import when
from rserpool.security.interfaces import Key
from rserpool.security.psk import keyfile, rotation
from rserpool.security.psk.entry import parse_entry
from rserpool.security.psk.keystore import in_force
from rserpool.security.psk.pairwise import pair
from rserpool.security.psk.rotation import Plan, Step


def rotate(args: argparse.Namespace) -> int:
    """Do what is next: add the next generation, or retire the old one."""
    with explained(args.file):
        file = keyfile.read(args.file)
        try:
            plan = rotation.plan(file.keys, args.identity)
        except KeyError:
            raise Negative(f"{args.file} has no identity {args.identity!r}") from None
    if plan.step is Step.RETIRE:
        return _retire(args, plan)
    if args.retire:
        raise Negative(
            f"{args.file}: {plan.old.identity!r} is the only generation of "
            f"{plan.principal!r}: there is nothing to retire yet"
        )
    return _add(args, plan, file.lines[plan.old.identity])


def _add(args: argparse.Namespace, plan: Plan, line: int) -> int:
    secret = os.urandom(KEY)
    with explained(args.file):
        options = _options(args, plan, Path(args.file).read_bytes().split(b"\n")[line - 1])
        if args.to:
            _write_alone(args.to, plan.new, secret)
        try:
            keyfile.add(args.file, plan.new, secret, options)
        except BaseException:
            # Nobody may roll out a key that the registrar will never know.
            if args.to:
                with suppress(FileNotFoundError):
                    os.unlink(args.to)
            raise
    value = {
        "file": args.file, "step": "add", "principal": plan.principal,
        "old": plan.old.identity, "new": plan.new, "copy": args.to,
        "next": _roll_out(args, plan),
    }  # fmt: skip
    if args.show:
        value["key"] = secret.hex()
    tell(
        value,
        args.json,
        f"{args.file}: added {plan.new!r} with a new key of {KEY * 8} bits, with the "
        f"restrictions of {plan.old.identity!r}; both are in force",
        *([secret.hex()] if args.show else []),
        "Next:",
        *(f"  {number}. {words}" for number, words in enumerate(_roll_out(args, plan), 1)),
    )
    return DONE


def _options(args: argparse.Namespace, plan: Plan, octets: bytes) -> str:
    """What stands behind the new key: what stands behind the old one, its time apart."""
    line = octets.decode("utf-8")  # whatever the locale is
    if parse_entry(line).identity != plan.old.identity:
        raise ValueError(f"{args.file} has just been changed by somebody else; try again")
    found = rotation.carried_over(line)
    now = time.time()
    if plan.old.not_before is not None and plan.old.not_before <= now:
        found.pop("not-before", None)
    for name in ("not-before", "not-after"):
        given = getattr(args, name.replace("-", "_"))
        if given:
            found[name] = [given]
    if args.not_after == "never":
        del found["not-after"]
    elif not args.not_after and plan.old.not_after is not None and plan.old.not_after <= now:
        raise ValueError(
            f"{plan.old.identity!r} is over since {when(plan.old.not_after)}, and its "
            "successor would be, too: give --not-after TIME, or --not-after never"
        )
    return ";".join(f"{name}={value}" for name, values in found.items() for value in values)


def _write_alone(path: str, identity: str, secret: bytes) -> None:
    """Write a key file with one key, which nobody had before."""
    if os.path.lexists(path):
        raise Failure(f"{path} is there already; give another --to")
    try:
        keyfile.add(path, identity, secret)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


def _roll_out(args: argparse.Namespace, plan: Plan) -> list[str]:
    """What the operator does now, in order."""
    copied = args.to or f"the line of {plan.new!r} in {args.file}"
    again = f"rserpool psk rotate {args.file} {plan.principal} --status URL"
    done = f"when it uses the new key, retire the old one: {again}"
    caller, called = pair(plan.new)
    if called:
        return [
            f"at registrar {called!r}, who is called: put {copied} into its enrp-auth key "
            "file, and send SIGHUP",
            f"where {caller!r} calls from, the same, and not before: it calls with the newest "
            "key that it has",
            "when its connection uses the new key (it ends with the old one), retire the old "
            f"one in both files: {again}",
        ]
    return [
        "the registrar takes it over: kill -HUP REGISTRAR",
        f"take {copied} to the host of {plan.principal!r}, safely, in the place of its old key "
        "file (psk), and send its rserpool-pe SIGHUP there: kill -HUP PE",
        done,
    ]


def _retire(args: argparse.Namespace, plan: Plan) -> int:
    if args.to or args.show or args.not_after or args.not_before:
        raise Failure(
            f"{args.file} has {plan.old.identity!r} and {plan.new!r} already: what is next is "
            "to retire the older one, which makes no key"
        )
    why = _objection(args, plan)
    if why and not args.force:
        raise Negative(why)
    with explained(args.file):
        keyfile.remove(args.file, plan.old.identity)
    words = f"{args.file}: retired {plan.old.identity!r}; {plan.new!r} stays"
    tell(
        {
            "file": args.file, "step": "retire", "principal": plan.principal,
            "old": plan.old.identity, "new": plan.new, "forced": bool(why), "despite": why,
            "next": ["kill -HUP REGISTRAR"],
        },
        args.json,
        words,
        *([f"Forced, although: {why}"] if why else []),
        "Next:",
        "  1. the registrar takes it over, and closes what sessions it may still have: "
        "kill -HUP REGISTRAR",
    )  # fmt: skip
    return DONE


def _objection(args: argparse.Namespace, plan: Plan) -> str:
    """Why the old key can't go; empty: it can."""
    old, force = plan.old, "--force retires it all the same"
    if _over(old):
        return ""
    if not args.status:
        return (
            f"nobody knows whether {old.identity!r} is still used: ask the registrar with "
            f"--status URL, each of them if there are several; {force}"
        )
    try:
        found = usage.ask_all(args.status)
    except Failure as failure:
        if args.force:
            return str(failure)
        raise
    whys = [_still(status, plan) for status in found]
    if any(whys):
        return "; ".join(filter(None, whys)) + f"; {force}"
    if not any(status.usage(plan.new) for status in found):
        return (
            f"nobody has come in by {plan.new!r} yet: has it been rolled out, and has the "
            f"registrar had SIGHUP? {force}"
        )
    return ""


def _over(key: Key) -> bool:
    """Whether nobody can come in by it any more, whoever has it."""
    now = time.time()
    return key.not_after is not None and not in_force(key, now) and key.not_after <= now


def _still(status: usage.Status, plan: Plan) -> str:
    """Why one registrar's word isn't enough to retire the old key; empty: it is."""
    old = status.usage(plan.old.identity)
    if old is not None and old.open:
        return (
            f"{status.where}: {plan.old.identity!r} is in use still, by {old.open} "
            f"connection{'s' * (old.open != 1)}"
        )
    new = status.usage(plan.new)
    if old is not None and (new is None or not new.open):
        return (
            f"{status.where}: {plan.old.identity!r} was used last {old.last}, and "
            f"{plan.new!r} isn't connected: who used it may come back with it"
        )
    if old is None and status.forgetful:
        return f"{status.where}: it knows of too many credentials to be sure"
    return ""
