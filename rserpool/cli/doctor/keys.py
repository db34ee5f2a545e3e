"""Looking at key files: weak, shared and unused keys, and those whose time is over."""

import time
from collections.abc import Iterator, Sequence
from itertools import groupby

import attrs

from rserpool.cli.doctor.finding import Finding, error, note, warning
from rserpool.cli.usage import Status
from rserpool.security.certificate.name import SOON, when
from rserpool.security.interfaces import Key
from rserpool.security.psk import keyfile
from rserpool.security.psk.entry import GOOD_KEY
from rserpool.security.psk.keystore import in_force
from rserpool.security.psk.pairwise import objection
from rserpool.security.psk.rotation import generation

#: Generations of one principal that a rotation needs.
_TWO = 2


@attrs.frozen
class Held:
    """A key, and where it stands."""

    key: Key
    where: str


def read(paths: Sequence[str]) -> tuple[list[Held], list[Finding]]:
    """Read key files; what can't be read is a finding."""
    held: list[Held] = []
    found: list[Finding] = []
    for path in dict.fromkeys(paths):
        try:
            file = keyfile.read(path)
        except keyfile.KeyFileError as fault:
            found += [error("key-file", words, path) for words in fault.faults]
        except OSError as fault:
            found.append(error("key-file", f"can't be read: {fault.strerror}", path))
        else:
            held += [Held(key, f"{path}:{file.lines[key.identity]}") for key in file.keys]
    return held, found


def look(held: Sequence[Held], statuses: Sequence[Status]) -> Iterator[Finding]:
    """Tell what is wrong with the keys by themselves, and what nobody uses."""
    now = time.time()
    for one in held:
        yield from _strength(one)
        yield from _life(one, now)
        yield from _use(one, statuses, now)
    yield from _shared(held)
    yield from _generations(held)


def to_try(held: Sequence[Held], statuses: Sequence[Status], own: str | None) -> Held | None:
    """
    Choose a key to try a listener with: one that is used, or else any that is in force.

    :param own: this registrar's name; a key that it calls others with isn't for calling it.
    """
    now = time.time()
    fitting = [
        one for one in held
        if in_force(one.key, now) and not (own and objection(one.key.identity, own))
    ]  # fmt: skip
    used = [
        one for one in fitting
        if any((use := status.usage(one.key.identity)) and use.open for status in statuses)
    ]  # fmt: skip
    return next(iter([*used, *fitting]), None)


def _strength(one: Held) -> Iterator[Finding]:
    size = len(one.key.secret)
    if size < GOOD_KEY:
        yield warning(
            "key-weak", f"the key of {one.key.identity!r} has {size * 8} bits", one.where,
            f"rotate it (rserpool psk rotate): new keys have {GOOD_KEY * 8}",
        )  # fmt: skip


def _life(one: Held, now: float) -> Iterator[Finding]:
    key, name = one.key, repr(one.key.identity)
    if key.not_after is not None and key.not_after <= now:
        yield warning(
            "key-over", f"the key of {name} is over since {when(key.not_after)}", one.where,
            "rotate it, or take it out (rserpool psk remove)",
        )  # fmt: skip
    elif key.not_after is not None and key.not_after < now + SOON:
        yield warning(
            "key-ends", f"the key of {name} is good until {when(key.not_after)}", one.where,
            "give its holder the next one in time (rserpool psk rotate)",
        )  # fmt: skip
    elif key.not_before is not None and key.not_before > now:
        yield note(
            "key-not-yet", f"the key of {name} is good from {when(key.not_before)}", one.where
        )


def _use(one: Held, statuses: Sequence[Status], now: float) -> Iterator[Finding]:
    """Tell who isn't known to anybody; a registrar knows of its own uptime only."""
    if not statuses or not in_force(one.key, now):
        return
    if any(status.forgetful or status.usage(one.key.identity) for status in statuses):
        return
    yield note(
        "key-unused", f"nobody has come in by {one.key.identity!r} since the registrar began",
        one.where, "if nobody needs it, take it out (rserpool psk remove)",
    )  # fmt: skip


def _shared(held: Sequence[Held]) -> Iterator[Finding]:
    first: dict[bytes, Held] = {}
    for one in held:
        known = first.setdefault(one.key.secret, one)
        # The same line of the same pair stands in both registrars' files, and in one only here.
        if known is not one and known.key.identity != one.key.identity:
            yield warning(
                "key-shared",
                f"{one.key.identity!r} and {known.key.identity!r} ({known.where}) have the "
                "same key: each could pretend to be the other (RFC 9257 section 5.1)",
                one.where, "rotate one of them",
            )  # fmt: skip


def _generations(held: Sequence[Held]) -> Iterator[Finding]:
    def principal(one: Held) -> str:
        return one.key.principal

    once = {one.key.identity: one for one in reversed(held)}.values()
    for name, group in groupby(sorted(once, key=principal), key=principal):
        some = sorted(group, key=lambda one: generation(one.key))
        names = ", ".join(repr(one.key.identity) for one in some)
        if len(some) > _TWO:
            yield warning(
                "key-generations", f"{name!r} has {len(some)} generations: {names}",
                some[0].where, "take out those that nobody uses (rserpool psk remove)",
            )  # fmt: skip
        elif len(some) == _TWO:
            yield note(
                "key-rotating", f"{name!r} is being rotated: {names}", some[0].where,
                f"when nobody uses {some[0].key.identity!r} any more: rserpool psk rotate",
            )  # fmt: skip
