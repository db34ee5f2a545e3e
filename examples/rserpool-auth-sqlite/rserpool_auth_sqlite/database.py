"""The database: a table of keys and a table of rules, read whole."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rserpool.security.decisions import Restrictions
from rserpool.security.interfaces import Key

SCHEMA = """
CREATE TABLE keys (
    identity TEXT PRIMARY KEY, secret BLOB NOT NULL,
    not_before REAL, not_after REAL,
    pools TEXT NOT NULL DEFAULT ''  -- separated by spaces; empty: any
);
CREATE TABLE rules (
    principal TEXT NOT NULL, permission TEXT NOT NULL,
    PRIMARY KEY (principal, permission)
);
"""
#: Octets of a key, as RFC 9257 section 6 and TLS libraries have them.
SHORTEST, LONGEST = 16, 64


@contextmanager
def opened(path: str) -> Iterator[sqlite3.Connection]:
    """
    Open the database, which must be there, and its owner's alone.

    :raise ValueError: it can't be used; the message says what to do.
    """
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
    if mode & 0o077:
        raise ValueError(f"{path}: mode {mode:04o} lets others at the keys; chmod 600 {path}")
    # Never made anew, and whatever stands in the path is the path.
    where = f"{Path(path).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(where, uri=True)
    try:
        with connection:
            yield connection
    except sqlite3.Error as error:
        raise ValueError(f"{path}: {error}") from None
    finally:
        connection.close()


def create(path: str) -> None:
    """Make an empty database, for its owner alone; one that is there stays as it is."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with opened(path) as database:
        database.executescript(SCHEMA)


def read_keys(path: str) -> dict[str, Key]:
    """Read all keys, by identity."""
    with opened(path) as database:
        rows = database.execute(
            "SELECT identity, secret, not_before, not_after, pools FROM keys"
        ).fetchall()
    keys = {}
    for identity, secret, begin, end, pools in rows:
        if not isinstance(secret, bytes) or not SHORTEST <= len(secret) <= LONGEST:
            raise ValueError(f"{path}: the key of {identity!r} must be 16 to 64 octets")
        allowed = frozenset(pool.encode() for pool in pools.split())
        keys[identity] = Key(identity, secret, begin, end, Restrictions(pools=allowed))
    return keys


def read_rules(path: str) -> dict[str, list[str]]:
    """Read all rules: what each principal may."""
    with opened(path) as database:
        rows = database.execute("SELECT principal, permission FROM rules").fetchall()
    rules: dict[str, list[str]] = {}
    for principal, permission in rows:
        rules.setdefault(principal, []).append(permission)
    return rules
