"""``rserpool-auth-sqlite``: keys and rules for the database."""

import argparse
import os
import sqlite3
import sys
from collections.abc import Sequence

from rserpool_auth_sqlite.database import create, opened


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    args = _parser().parse_args(arguments)
    try:
        args.run(args)
    except (ValueError, OSError, sqlite3.Error) as error:
        print(f"rserpool-auth-sqlite: {error}", file=sys.stderr)
        return 2
    return 0


def _init(args: argparse.Namespace) -> None:
    create(args.database)


def _add_key(args: argparse.Namespace) -> None:
    secret = os.urandom(32)
    with opened(args.database) as database:
        database.execute(
            "INSERT INTO keys (identity, secret, pools) VALUES (?, ?, ?)",
            (args.identity, secret, " ".join(args.pool)),
        )
        descriptor = os.open(args.to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{args.identity}:{secret.hex()}\n")


def _remove_key(args: argparse.Namespace) -> None:
    with opened(args.database) as database:
        done = database.execute("DELETE FROM keys WHERE identity = ?", (args.identity,))
        if not done.rowcount:
            raise ValueError(f"there is no key of {args.identity!r}")


def _allow(args: argparse.Namespace) -> None:
    with opened(args.database) as database:
        database.execute("INSERT INTO rules VALUES (?, ?)", (args.identity, args.permission))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rserpool-auth-sqlite", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, about in (
        ("init", _init, "make an empty database"),
        ("add-key", _add_key, "add an identity with a new key"),
        ("remove-key", _remove_key, "take an identity out"),
        ("allow", _allow, "add a rule"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("database")
        command.set_defaults(run=run)
        if name != "init":
            command.add_argument("identity")
        if name == "add-key":
            command.add_argument("--to", required=True, help="write the key file there")
            command.add_argument("--pool", action="append", default=[], help="for it alone")
        if name == "allow":
            command.add_argument("permission", help="like asap.register")
    return parser


if __name__ == "__main__":
    sys.exit(main())
