"""
One line of a key file: ``identity:hexkey``, and restrictions behind it.

The form is what psktool, mosquitto and stunnel write.  After the key there may be
``;not-before=`` and ``;not-after=`` (ISO 8601; without a zone it is UTC), once each, and
``;pe-id=``, ``;pool=`` and ``;addr=``, as often as wanted.  No message of this module
quotes what stands in the key's place, even where that isn't a key.
"""

import datetime
import ipaddress
import string
from collections.abc import Callable
from typing import Any

from rserpool.security.decisions import Restrictions
from rserpool.security.interfaces import Key
from rserpool.security.psk.identity import MAXIMUM_IDENTITY, readable

#: Octets of a key.  Less than 128 bits can be guessed offline from one recorded handshake
#: (RFC 9257 section 6); more than 64 octets some TLS stacks cut off or refuse.
MINIMUM_KEY, MAXIMUM_KEY = 16, 64
#: Octets under which a key is accepted with a warning: 256 bits leave room for a source of
#: randomness that is worse than it seems.
GOOD_KEY = 32


def parse_entry(line: str) -> Key:
    """
    Read one line.

    :raise ValueError: what is wrong with it, all of it, joined by ``"; "``.
    """
    identity, colon, rest = line.partition(":")
    if not colon:
        raise ValueError("this isn't identity:hexkey")
    digits, *options = rest.split(";")
    faults: list[str] = []
    _note(faults, check_identity, identity)
    secret = _note(faults, _secret, digits.strip())
    limits = _note(faults, _options, options) or {}
    if faults:
        raise ValueError("; ".join(faults))
    return Key(
        identity=identity,
        secret=secret or b"",
        not_before=next(iter(limits["not-before"]), None),
        not_after=next(iter(limits["not-after"]), None),
        restrictions=Restrictions(
            pe_ids=frozenset(limits["pe-id"]),
            pools=frozenset(limits["pool"]),
            networks=tuple(limits["addr"]),
        ),
    )


#: Principals of who has proven nothing: in rules and in the audit log nobody else bears them.
_NAMELESS = ("anonymous", "plain")


def check_identity(identity: str) -> None:
    """
    Refuse what can't be an identity in a key file.

    :raise ValueError: why.
    """
    if readable(identity.encode("utf-8", "surrogateescape")) is None:
        raise ValueError(
            f"an identity is 1 to {MAXIMUM_IDENTITY} octets of printable UTF-8; "
            f"{identity[:40]!r} isn't"
        )
    if ":" in identity or identity != identity.strip() or identity.startswith("#"):
        raise ValueError(
            f"identity {identity!r}: no ':' in it, no space at its ends, no '#' in front"
        )
    if identity.partition("~")[0] in _NAMELESS:
        raise ValueError(f"identity {identity!r} is what those are called who have none")


def check_secret(secret: bytes) -> None:
    """
    Refuse a key that is too short or too long.

    :raise ValueError: why.
    """
    if not MINIMUM_KEY <= len(secret) <= MAXIMUM_KEY:
        raise ValueError(
            f"the key has {len(secret)} octets; it must have {MINIMUM_KEY} to {MAXIMUM_KEY}"
        )


def _note(faults: list[str], check: Callable[[Any], Any], value: Any) -> Any:
    """Do one check; a fault is collected, so that the others are found as well."""
    try:
        return check(value)
    except ValueError as fault:
        faults.append(str(fault))
        return None


def _secret(digits: str) -> bytes:
    if not digits:
        raise ValueError("there is no key after the identity")
    if not set(digits) <= set(string.hexdigits) or len(digits) % 2:
        raise ValueError(
            "the key isn't pairs of hexadecimal digits (comments stand on lines of their own)"
        )
    secret = bytes.fromhex(digits)
    check_secret(secret)
    return secret


def _options(options: list[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in _READERS}
    faults: list[str] = []
    for option in options:
        name, _, value = (part.strip() for part in option.partition("="))
        _note(faults, _option, (found, name, value))
    begin, end = found["not-before"], found["not-after"]
    if begin and end and begin[0] >= end[0]:
        faults.append("not-after isn't later than not-before")
    if faults:
        raise ValueError("; ".join(faults))
    return found


def _option(option: tuple[dict[str, list[Any]], str, str]) -> None:
    found, name, value = option
    if name not in _READERS:
        # Not quoted: it may be a piece of a key that somebody broke in two.
        raise ValueError(f"after the key only {', '.join(_READERS)} may stand, each with '='")
    if name in _ONCE and found[name]:
        raise ValueError(f"{name} stands there twice")
    found[name].append(_READERS[name](value))


def _time(value: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} isn't a time like 2027-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.timestamp()


def _end(value: str) -> float:
    """Read the end of a key's life; a day without a time of day ends with that day."""
    seconds = _time(value)
    return seconds + 86_400 if _is_day(value) else seconds


def _is_day(value: str) -> bool:
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def pe_identifier(value: str) -> int:
    """
    Read a PE identifier, decimal or 0x.

    :raise ValueError: it isn't one.
    """
    try:
        identifier = int(value, 0)
    except ValueError:
        identifier = -1
    if not 0 <= identifier <= 0xFFFFFFFF:
        raise ValueError(f"{value!r} isn't a PE identifier (32 bits, decimal or 0x)")
    return identifier


def _pool(value: str) -> bytes:
    if not value or not value.isprintable():
        raise ValueError("pool= needs a pool handle of printable UTF-8")
    return value.encode("utf-8")


def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"addr= is a network like 10.1.0.0/16: {error}") from None


_READERS: dict[str, Callable[[str], Any]] = {
    "not-before": _time,
    "not-after": _end,
    "pe-id": pe_identifier,
    "pool": _pool,
    "addr": _network,
}
_ONCE = ("not-before", "not-after")
