"""
The file of a pool's cookie keys: made, read and rotated.

It has the form of a key file (:mod:`rserpool.security.psk.keyfile`), its owner's alone, with
one identity, ``cookie``, in its generations: ``cookie:hexkey``,
``cookie~2:hexkey;not-before=...``. The number behind the tilde is the key's number.  It can't
be taken for a file of elements' keys, nor one of those for it.

Note [Rotating]

All elements must have a new key before one seals by it.  So it begins a while after it was
made: copy the file to all of them meanwhile, and let each `replace` its keyring's keys.  The
one before opens until the last cookie that it sealed has ended.
"""

import datetime
import os
import secrets

from rserpool.security.atomic import exclusively, replace
from rserpool.security.cookies import KEY_OCTETS, SKEW, CookieKey
from rserpool.security.interfaces import Key
from rserpool.security.psk import keyfile
from rserpool.security.psk.rotation import generation

IDENTITY = "cookie"


def read(path: str) -> tuple[CookieKey, ...]:
    """
    Read the keys.

    :raise KeyFileError: (a ValueError) all that is wrong with the file; it names no key.
    :raise OSError: it can't be read.
    """
    return _converted(path, keyfile.read(path).keys)


def make(path: str) -> None:
    """
    Make a file with one key.

    :raise FileExistsError: there is one.
    """
    with exclusively(path):
        if os.path.exists(path):
            raise FileExistsError(f"{path} is there already; rotate it")
        replace(path, _line(IDENTITY).encode(), 0o600)


def rotate(path: str, now: float, *, life: float, delay: float) -> int:
    """
    Add the next key, and take out those that are over.

    :param life: seconds that cookies live; the key before opens so much longer.
    :param delay: seconds until the new key seals: see Note [Rotating].
    :return: the number of the new key.
    :raise ValueError: the file isn't a good one, or another rotation is still under way.
    """
    with exclusively(path):
        keys = read(path)
        newest = max(keys, key=lambda key: key.number)
        if not newest.begun(now):
            raise ValueError(f"{path}: key {newest.number} hasn't begun yet; rotate it later")
        begin = now + delay
        lines = [f"# rotated {_time(now)}\n"]
        for key in keys:
            if key.ended(now):
                continue
            end = begin + life + SKEW if key is newest else key.not_after
            lines.append(_line(_identity(key.number), key.secret, key.not_before, end))
        number = newest.number + 1
        lines.append(_line(_identity(number), None, begin))
        data = "".join(lines).encode()
        _converted(path, keyfile.parse(data, path).keys)  # it will be read again
        replace(path, data, 0o600)
    return number


def _converted(path: str, keys: tuple[Key, ...]) -> tuple[CookieKey, ...]:
    faults: list[str] = []
    found: list[CookieKey] = []
    for key in keys:
        if key.principal != IDENTITY:
            faults.append(f"{path}: {key.identity!r} isn't a cookie key ({IDENTITY}~NUMBER)")
            continue
        try:
            found.append(CookieKey(generation(key), key.secret, key.not_before, key.not_after))
        except ValueError as fault:
            faults.append(f"{path}: {key.identity!r}: {fault}")
    if len({key.number for key in found}) != len(found):
        faults.append(f"{path}: two keys have one number")
    if not keys:
        faults.append(f"{path}: there is no key in it")
    if faults:
        raise keyfile.KeyFileError(tuple(faults))
    return tuple(found)


def _identity(number: int) -> str:
    return IDENTITY if number == 1 else f"{IDENTITY}~{number}"


def _line(
    identity: str,
    secret: bytes | None = None,
    begin: float | None = None,
    end: float | None = None,
) -> str:
    digits = (secret or secrets.token_bytes(KEY_OCTETS)).hex()
    options = f";not-before={_time(begin)}" if begin is not None else ""
    options += f";not-after={_time(end)}" if end is not None else ""
    return f"{identity}:{digits}{options}\n"


def _time(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds")
