"""
Rotating a key without a gap: what is next for a principal, from the generations there are.

``web-1`` is generation 1 of its principal, ``web-1~2`` the second.  While two are in force,
its holders change from one to the other; then the older one goes.
"""

from collections.abc import Iterable
from enum import Enum

import attrs

from rserpool.security.interfaces import Key


class Step(Enum):
    """What is next."""

    ADD = "add"  # there is one generation: add the next
    RETIRE = "retire"  # there are two: the older one goes when nobody uses it any more


@attrs.frozen
class Plan:
    """What is next for one principal."""

    step: Step
    principal: str
    old: Key
    new: str  # the identity of the newer generation


def generation(key: Key) -> int:
    """Return the number behind the tilde; 1: there is none."""
    principal = key.principal
    return int(key.identity[len(principal) + 1 :]) if key.identity != principal else 1


def generations(keys: Iterable[Key], identity: str) -> list[Key]:
    """Return the keys of the principal of `identity`, the oldest generation first."""
    principal = Key(identity, b"").principal
    return sorted((key for key in keys if key.principal == principal), key=generation)


def plan(keys: Iterable[Key], identity: str) -> Plan:
    """
    Return what is next for the principal of `identity`.

    :raise KeyError: it has no key.
    :raise ValueError: it has more generations than can be told apart, or than two.
    """
    found = generations(keys, identity)
    if not found:
        raise KeyError(identity)
    numbers = [generation(key) for key in found]
    principal = found[0].principal
    if len(set(numbers)) != len(numbers):
        same = " and ".join(repr(key.identity) for key in found)
        raise ValueError(f"{same} are one generation: remove one of them first")
    if len(found) > 2:
        names = ", ".join(repr(key.identity) for key in found)
        raise ValueError(
            f"{principal!r} has {len(found)} generations, {names}; rotate one step at a time: "
            "remove those that nobody uses any more, until one or two are left"
        )
    if len(found) == 1:
        return Plan(Step.ADD, principal, found[0], f"{principal}~{numbers[0] + 1}")
    return Plan(Step.RETIRE, principal, found[0], found[1].identity)


def carried_over(line: str) -> dict[str, list[str]]:
    """Return the options that stand behind a key in its line of a key file, as they stand."""
    found: dict[str, list[str]] = {}
    for option in line.strip().split(";")[1:]:
        name, _, value = option.strip().partition("=")
        found.setdefault(name.strip(), []).append(value.strip())
    return found
