"""
Key files: read whole, refused whole, changed at once.

One ``identity:hexkey`` a line (:mod:`rserpool.security.psk.entry`), ``#`` comments and
empty lines between them.  All that is wrong is reported together, with file and line, and
never with a key.
"""

import os
from collections.abc import Mapping

import attrs

from rserpool.security.atomic import exclusively, replace
from rserpool.security.interfaces import Key
from rserpool.security.private import too_open
from rserpool.security.psk.entry import GOOD_KEY, check_identity, check_secret, parse_entry

__all__ = ["KeyFile", "KeyFileError", "add", "parse", "read", "remove"]


class KeyFileError(ValueError):
    """
    A key file can't be used.

    :ivar faults: all that is wrong with it, each with file and line.
    """

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@attrs.frozen
class KeyFile:
    """The keys of a file, and what ought to be better."""

    keys: tuple[Key, ...]
    warnings: tuple[str, ...] = ()
    #: On which line each identity stands.
    lines: Mapping[str, int] = attrs.field(factory=dict)


def read(path: str) -> KeyFile:
    """
    Read a key file.

    :raise KeyFileError: all that is wrong with it.
    :raise OSError: it can't be read.
    """
    with open(path, "rb") as file:
        fault = too_open(path, os.fstat(file.fileno()).st_mode, "keys")
        data = file.read()
    return parse(data, path, [fault] if fault else [])


def parse(data: bytes, name: str, faults: list[str] | None = None) -> KeyFile:
    """
    Parse what stands in a key file; `name` is for the messages.

    :param faults: what has been found wrong with the file already.
    :raise KeyFileError: these, and all that is wrong with the content.
    """
    reading = _Reading(name, [] if faults is None else faults)
    for number, line in enumerate(data.split(b"\n"), 1):
        reading.line(number, line)
    if reading.faults:
        raise KeyFileError(tuple(reading.faults))
    return KeyFile(tuple(reading.keys), tuple(reading.warnings), reading.identities)


@attrs.define
class _Reading:
    """One pass over a file."""

    name: str
    faults: list[str]
    warnings: list[str] = attrs.field(factory=list)
    keys: list[Key] = attrs.field(factory=list)
    identities: dict[str, int] = attrs.field(factory=dict)  # identity -> line
    secrets: dict[bytes, int] = attrs.field(factory=dict, repr=False)

    def line(self, number: int, octets: bytes) -> None:
        """Take one line."""
        octets = octets.removesuffix(b"\r")
        if not octets.strip() or octets.lstrip().startswith(b"#"):
            return
        where = f"{self.name}:{number}"
        try:
            key = parse_entry(octets.decode("utf-8"))
        except UnicodeDecodeError:
            self.faults.append(f"{where}: this line isn't UTF-8")
        except ValueError as fault:
            self.faults.append(f"{where}: {fault}")
        else:
            self._key(number, where, key)

    def _key(self, number: int, where: str, key: Key) -> None:
        first = self.identities.setdefault(key.identity, number)
        if first != number:
            self.faults.append(
                f"{where}: identity {key.identity!r} stands in line {first} already"
            )
        if len(key.secret) < GOOD_KEY:
            self.warnings.append(
                f"{where}: the key of {key.identity!r} has {len(key.secret)} octets; "
                f"{GOOD_KEY} would be better"
            )
        # RFC 9257 section 5.1: one key for each pair that shares it.
        same = self.secrets.setdefault(key.secret, number)
        if same != number:
            self.warnings.append(
                f"{where}: {key.identity!r} has the same key as line {same}; "
                "give each identity a key of its own"
            )
        self.keys.append(key)


def add(path: str, identity: str, secret: bytes, restrictions: str = "") -> None:
    """
    Add an identity to a key file, which is made if there is none (mode 0600).

    :param restrictions: as they stand in the file: ``;pe-id=1;pool=web``, or empty.
    :raise KeyFileError: the file would not be a good one, before or afterwards.
    :raise ValueError: the identity, the key or the restrictions are bad.
    """
    check_identity(identity)
    check_secret(secret)
    if restrictions and not restrictions.startswith(";"):
        restrictions = f";{restrictions}"
    line = f"{identity}:{secret.hex()}{restrictions}"
    parse_entry(line)
    with exclusively(path):
        before = _octets(path)
        if before and not before.endswith(b"\n"):
            before += b"\n"
        after = before + line.encode("utf-8") + b"\n"
        parse(after, path)
        replace(path, after, 0o600)


def remove(path: str, identity: str) -> None:
    """
    Take an identity out of a key file; comments and other lines stay as they are.

    Works on a file that has faults, too: that may be why the line must go.

    :raise KeyError: it isn't there.
    """
    with exclusively(path):
        lines = _octets(path).splitlines(keepends=True)
        begin = identity.encode("utf-8") + b":"
        kept = [line for line in lines if not line.startswith(begin)]
        if len(kept) == len(lines):
            raise KeyError(identity)
        replace(path, b"".join(kept), 0o600)


def _octets(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
