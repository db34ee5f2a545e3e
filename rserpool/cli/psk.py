"""``rserpool psk add|list|remove``: key files."""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from rserpool.cli import usage
from rserpool.cli.outcome import DONE, Failure, Negative, tell
from rserpool.security.certificate.name import when
from rserpool.security.interfaces import Key
from rserpool.security.psk import keyfile
from rserpool.security.psk.entry import check_identity, parse_entry
from rserpool.security.psk.keystore import in_force
from rserpool.security.psk.rotation import generation

#: Octets of a new key.
KEY = 32


def add(args: argparse.Namespace) -> int:
    """Add an identity with a new key."""
    options = [
        *(f"pool={pool}" for pool in args.pool),
        *(f"pe-id={identifier}" for identifier in args.pe_id),
        *(f"addr={address}" for address in args.address),
        *([f"not-before={args.not_before}"] if args.not_before else []),
        *([f"not-after={args.not_after}"] if args.not_after else []),
    ]
    for pool in args.pool:
        if ";" in pool or pool != pool.strip():
            raise Failure(
                f"--pool {pool!r}: a key file has no room for a handle with ';' in it, or with "
                "a space at its ends; let rules say who may be in that pool"
            )
    secret = os.urandom(KEY)
    _add_both(args, secret, ";".join(options))
    value = {"file": args.file, "identity": args.identity}
    lines = [f"{args.file}: added {args.identity!r} with a new key of {KEY * 8} bits"]
    if args.to:
        value["copy"] = args.to
        lines.append(f"{args.to}: the same key, for the element itself: take it there safely")
    if args.show:
        value["key"] = secret.hex()
        lines.append(secret.hex())
    lines.append("A running registrar takes it over at SIGHUP.")
    tell(value, args.json, *lines)
    return DONE


def _add_both(args: argparse.Namespace, secret: bytes, options: str) -> None:
    """
    Add the key to the registrar's file, and to the element's if there is one, or to neither.

    The element's first: a key that nobody holds would stay in the registrar's for ever.
    """
    with explained(args.file):
        check_identity(args.identity)
        key = parse_entry(f"{args.identity}:{secret.hex()}{options and ';'}{options}")
        if _state(key, time.time()) == "over":
            raise ValueError(f"--not-after {args.not_after}: the key would be over already")
    if args.to:
        if os.path.realpath(args.to) == os.path.realpath(args.file):
            raise Failure(f"--to {args.to}: that is the registrar's file itself")
        with explained(args.to):
            keyfile.add(args.to, args.identity, secret)
    try:
        with explained(args.file):
            keyfile.add(args.file, args.identity, secret, options)
    except BaseException:
        if args.to:
            _take_back(args.to, args.identity)
        raise


def _take_back(path: str, identity: str) -> None:
    """Take a key out of an element's file again, and the file away if it has no other."""
    with suppress(OSError, KeyError):
        keyfile.remove(path, identity)
        if not os.path.getsize(path):
            os.unlink(path)


def show(args: argparse.Namespace) -> int:
    """List the identities of a file, or one principal's, without their keys."""
    with explained(args.file):
        file = keyfile.read(args.file)
    keys = [key for key in file.keys if args.identity in (None, key.identity, key.principal)]
    if args.identity is not None and not keys:
        raise Negative(f"{args.file} has no identity {args.identity!r}")
    statuses = usage.ask_all(args.status)
    values = [_described(key, statuses) for key in keys]
    lines = ["  ".join([str(value["identity"]), *_in_words(value)]) for value in values]
    tell(
        {"file": args.file, "keys": values, "warnings": list(file.warnings)},
        args.json,
        *(lines or [f"{args.file} has no keys"]),
        *(f"warning: {warning}" for warning in file.warnings),
    )
    return DONE


def remove(args: argparse.Namespace) -> int:
    """Take an identity out of a file."""
    try:
        with explained(args.file):
            keyfile.remove(args.file, args.identity)
    except KeyError:
        raise Negative(f"{args.file} has no identity {args.identity!r}") from None
    tell(
        {"file": args.file, "removed": args.identity},
        args.json,
        f"{args.file}: removed {args.identity!r}",
        "A running registrar closes its sessions at SIGHUP.",
    )
    return DONE


def _described(key: Key, statuses: Sequence[usage.Status] = ()) -> dict[str, object]:
    limits = key.restrictions
    value: dict[str, object] = {
        "identity": key.identity,
        "principal": key.principal,
        "generation": generation(key),
        "bits": len(key.secret) * 8,
        "state": _state(key, time.time()),
    }
    if statuses:
        value["use"] = [_use(status, key.identity) for status in statuses]
    if key.not_before is not None:
        value["not-before"] = when(key.not_before)
    if key.not_after is not None:
        value["not-after"] = when(key.not_after)
    if limits.pools:
        value["pools"] = sorted(pool.decode(errors="replace") for pool in limits.pools)
    if limits.pe_ids:
        value["pe-ids"] = [f"{identifier:#010x}" for identifier in sorted(limits.pe_ids)]
    if limits.networks:
        value["addresses"] = [str(network) for network in limits.networks]
    return value


def _state(key: Key, now: float) -> str:
    if in_force(key, now):
        return "in force"
    return "not yet" if key.not_before is not None and key.not_before > now else "over"


def _use(status: usage.Status, identity: str) -> dict[str, object]:
    found = status.usage(identity)
    return {
        "registrar": status.where,
        "open": 0 if found is None else found.open,
        "last": None if found is None else found.last,
        # It may have come in, and be forgotten since.
        "known": found is not None or not status.forgetful,
    }


def _in_words(value: dict[str, object]) -> Iterator[str]:
    """What is told of a key beside its identity, in the order of the columns."""
    yield f"generation {value['generation']}"
    yield f"{value['bits']} bits"
    if value["state"] != "in force":
        yield str(value["state"])
    for name in ("not-before", "not-after", "pools", "pe-ids", "addresses"):
        found = value.get(name)
        if found:
            yield f"{name}={' '.join(found) if isinstance(found, list) else found}"
    uses: Any = value.get("use", [])
    for use in uses:
        more = f" at {use['registrar']}" if len(uses) > 1 else ""
        if use["open"]:
            yield f"used now by {use['open']} connection{'s' * (use['open'] != 1)}{more}"
        elif not use["known"]:
            yield f"not among the credentials that are remembered{more}"
        else:
            yield f"{'last used ' + use['last'] if use['last'] else 'not used yet'}{more}"


class explained:  # noqa: N801 - used like a function
    """Turns what a file's reading or writing raises into the end of the command."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise Failure(f"{self._path}: {error.strerror}") from None
        if isinstance(error, ValueError):
            raise Failure(str(error)) from None
