"""``rserpool certificate revoke``: the revocation list of one's own authority."""

import argparse
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rserpool.cli.outcome import DONE, Failure, tell
from rserpool.security.atomic import exclusively, replace
from rserpool.security.certificate import index, make, revoking
from rserpool.security.certificate.make import Issued
from rserpool.security.certificate.name import when
from rserpool.security.certificate.revoking import Revoked

#: The list beside ``ca.pem``.
NAME = "crl.pem"


def revoke(args: argparse.Namespace) -> int:
    """Put certificates into the revocation list of DIR, or make it anew as it is."""
    path = args.out or os.path.join(args.dir, NAME)
    try:
        authority = make.load(f"{args.dir}/ca.pem", f"{args.dir}/ca.key")
        wanted = dict.fromkeys(_wanted(args, authority))
        with exclusively(path):
            before, number = _before(path, authority)
            known = {entry.serial for entry in before}
            now = datetime.now(UTC).replace(microsecond=0)
            new = [
                Revoked(serial, now, args.reason) for serial in wanted if serial not in known
            ]
            pem = revoking.make_list(
                authority, [*before, *new], number=number + 1, days=args.days
            )
            replace(path, pem, 0o644)
    except OSError as error:
        raise Failure(
            f"{error.filename}: {error.strerror}; DIR is what 'rserpool init DIR' made"
        ) from None
    except ValueError as error:
        raise Failure(str(error)) from None
    value = _told(path, pem, authority)
    value["revoked"] = [f"{entry.serial:x}" for entry in new]
    value["already"] = [f"{serial:x}" for serial in wanted if serial in known]
    tell(value, args.json, *_lines(value, args.dir))
    return DONE


def _wanted(args: argparse.Namespace, authority: Issued) -> Iterator[int]:
    """The serial numbers of what is to be revoked."""
    for path in args.certificate:
        try:
            yield revoking.serial_of(Path(path).read_bytes(), authority)
        except OSError as error:
            raise Failure(f"{path}: can't be read: {error.strerror}") from None
        except ValueError as error:
            raise Failure(f"{path}: {error}") from None
    issued = index.recorded(args.dir)
    for text in args.serial:
        serial = revoking.parse_serial(text)
        if not args.force and serial not in {entry.serial for entry in issued or ()}:
            raise Failure(
                f"serial {serial:x} isn't in {args.dir}/{index.NAME}, where what was issued is "
                "written down: is it right? If it is older than that file, say --force"
            )
        yield serial
    for name in args.name:
        found = [entry.serial for entry in issued or () if name in entry.names]
        if not found:
            raise Failure(f"{args.dir}/{index.NAME} has no certificate for {name!r}")
        yield from found


def _before(path: str, authority: Issued) -> tuple[tuple[Revoked, ...], int]:
    try:
        pem = Path(path).read_bytes()
    except FileNotFoundError:
        return (), 0
    return revoking.revoked(pem, authority, path)


def _told(path: str, pem: bytes, authority: Issued) -> dict[str, Any]:
    """What there is to tell of the list."""
    entries, number = revoking.revoked(pem, authority, path)
    end = revoking.load_one(pem).next_update_utc
    assert end is not None
    return {
        "file": path, "number": number, "entries": len(entries),
        "valid-until": when(end.timestamp()),
    }  # fmt: skip


def _lines(value: dict[str, Any], directory: str) -> list[str]:
    path, end, count = value["file"], value["valid-until"], value["entries"]
    return [
        *(f"{path}: revoked serial {serial}" for serial in value["revoked"]),
        *(f"{path}: serial {serial} had been revoked before" for serial in value["already"]),
        f"{path}: list {value['number']} with {count} entr{'y' if count == 1 else 'ies'}, good "
        f"until {end}",
        f"Registrars with --auth 'certificate:CA-FILE;crl={path}' take it over at SIGHUP, and "
        "close the sessions of what was revoked.",
        f"Before {end} make it anew (rserpool certificate revoke {directory}) and send SIGHUP: "
        "when it is over, nobody is let in by a certificate.",
    ]
