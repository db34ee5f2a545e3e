"""
Key files: one ``identity:hexkey`` a line, as psktool, mosquitto and stunnel write them.

After the key there may be restrictions: ``;not-before=``, ``;not-after=`` (ISO 8601),
``;pe-id=``, ``;pool=``, ``;addr=``; the last three may be repeated.  Messages name file and
line, and never a key.
"""

import os
import stat
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import attrs

from rserpool.security.decisions import Restrictions
from rserpool.security.interfaces import Key
from rserpool.security.psk.tls import MAXIMUM_KEY, MINIMUM_KEY, printable

#: Octets under which a key is accepted, but warned of (RFC 9257 section 6 wants 128 bits
#: of entropy; 256 leave room for a source that is worse than it seems).
GOOD_KEY = 32
#: A key file is read whole; no honest one is so large.
MAXIMUM_FILE = 16 * 1024 * 1024


class KeyFileError(ValueError):
    """A key file can't be used; `faults` are all that is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@attrs.frozen
class KeyFile:
    """The keys of a file, and what ought to be better."""

    keys: tuple[Key, ...]
    warnings: tuple[str, ...] = ()


def read(path: str) -> KeyFile:
    """
    Read a key file.

    :raise KeyFileError: all that is wrong with it; OSError if it can't be read.
    """
    with open(path, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        data = file.read(MAXIMUM_FILE + 1)
    faults = []
    if mode & 0o077:
        faults.append(
            f"{path}: group or others may read it (mode {mode:04o}): run chmod 600 {path}"
        )
    if len(data) > MAXIMUM_FILE:
        raise KeyFileError([*faults, f"{path}: more than {MAXIMUM_FILE} octets"])
    try:
        return parse(data, path, faults)
    except KeyFileError:
        raise
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise KeyFileError([*faults, f"{path}:{line}: it isn't UTF-8"]) from None


def parse(data: bytes, name: str, faults: list[str] | None = None) -> KeyFile:
    """Parse the octets of a key file; `name` is for messages."""
    faults = [] if faults is None else faults
    warnings: list[str] = []
    keys: dict[str, Key] = {}
    for number, line in enumerate(data.decode().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            key = _key(text)
            if key.identity in keys:
                raise ValueError(f"identity {key.identity!r} stands here a second time")
        except ValueError as error:
            faults.append(f"{name}:{number}: {error}")
            continue
        if len(key.secret) < GOOD_KEY:
            warnings.append(
                f"{name}:{number}: the key of {key.identity!r} has {len(key.secret)} octets; "
                f"better {GOOD_KEY} or more"
            )
        keys[key.identity] = key
    if faults:
        raise KeyFileError(faults)
    return KeyFile(tuple(keys.values()), tuple(warnings))


def _key(text: str) -> Key:
    identity, colon, rest = text.partition(":")
    if not colon:
        raise ValueError("this line isn't identity:hexkey")
    if printable(identity.encode()) is None:
        raise ValueError("an identity is 1 to 128 octets of printable UTF-8")
    digits, *options = rest.split(";")
    try:
        secret = bytes.fromhex(digits.strip())
    except ValueError:
        # Without the reason, which may quote the key.
        raise ValueError(f"the key of {identity!r} isn't hexadecimal") from None
    if not MINIMUM_KEY <= len(secret) <= MAXIMUM_KEY:
        raise ValueError(
            f"the key of {identity!r} has {len(secret)} octets, "
            f"but must have {MINIMUM_KEY} to {MAXIMUM_KEY}"
        )
    return _restricted(identity, secret, options)


def _restricted(identity: str, secret: bytes, options: list[str]) -> Key:
    times: dict[str, float] = {}
    lists: dict[str, list[Any]] = {"pe-id": [], "pool": [], "addr": []}
    for option in options:
        name, _, value = (part.strip() for part in option.partition("="))
        if name in ("not-before", "not-after"):
            times[name] = _time(name, value)
        elif name in _LISTS:
            lists[name].append(_LISTS[name](value))
        else:
            raise ValueError(
                f"{name!r} isn't a restriction: only not-before, not-after, pe-id, pool, addr"
            )
    return Key(
        identity=identity,
        secret=secret,
        not_before=times.get("not-before"),
        not_after=times.get("not-after"),
        restrictions=Restrictions(
            frozenset(lists["pe-id"]), frozenset(lists["pool"]), tuple(lists["addr"])
        ),
    )


def _time(name: str, value: str) -> float:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{name}={value!r} isn't a time like 2027-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def pe_identifier(value: str) -> int:
    """
    Read a PE identifier, decimal or 0x.

    :raise ValueError: it isn't one.
    """
    try:
        identifier = int(value, 0)
    except ValueError:
        identifier = -1
    if not 0 < identifier <= 0xFFFFFFFF:
        raise ValueError(f"{value!r} isn't a PE identifier (1 to 0xffffffff)")
    return identifier


def _pool(value: str) -> bytes:
    if not value:
        raise ValueError("pool= needs a handle")
    return value.encode()


def _network(value: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(value)
    except ValueError:
        raise ValueError(
            f"addr={value!r} isn't an address or a network like 10.1.0.0/16"
        ) from None


_LISTS: dict[str, Callable[[str], Any]] = {
    "pe-id": pe_identifier,
    "pool": _pool,
    "addr": _network,
}


def add(path: str, identity: str, secret: bytes, restrictions: str = "") -> None:
    """
    Add a key to a file, which is made when there is none.

    :param restrictions: as they stand in the file, each with its ``;`` in front.
    :raise ValueError: the file has that identity, or it would not be a key file any more.
    """
    line = f"{identity}:{secret.hex()}{restrictions}\n".encode()
    old = Path(path).read_bytes() if os.path.exists(path) else b""
    if old and not old.endswith(b"\n"):
        old += b"\n"
    parse(old + line, path)
    replace(path, old + line)


def remove(path: str, identity: str) -> None:
    """
    Take a key out of a file; comments and the other keys stay.

    :raise KeyError: the file has no such identity.
    """
    lines = Path(path).read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if line.strip().partition(b":")[0] != identity.encode()]
    if len(kept) == len(lines):
        raise KeyError(identity)
    replace(path, b"".join(kept))


def replace(path: str, data: bytes, mode: int = 0o600) -> None:
    """Put `data` in place of the file at once: nobody sees half of it."""
    directory = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
