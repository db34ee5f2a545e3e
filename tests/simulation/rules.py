"""What the rules of a simulated world have in common: how they break, and how it is told."""

from collections.abc import Hashable, Iterable, Iterator

from tests.simulation.registrars import RegistrarNode

#: Handle and identifier of an element.
Key = tuple[bytes, int]
#: What a registrar knows of an element: home, attributes.
Entry = tuple[int, bytes]


class Violation(AssertionError):
    """A rule doesn't hold."""


class Since:
    """
    Since when each thing has been in breach of a rule, or in some state.

    A rule says "within so many seconds, while ...": each thing that it concerns must be in
    breach for longer than that, and without a break, for the rule to be broken.
    """

    def __init__(self) -> None:
        self._began: dict[Hashable, float] = {}

    def look(self, things: Iterable[Hashable], now: float) -> Iterator[tuple[Hashable, float]]:
        """Give each thing there is now, and for how long; those that are missing begin anew."""
        before = self._began
        self._began = {thing: before.get(thing, now) for thing in things}
        for thing, began in self._began.items():
            yield thing, now - began


def entries(node: RegistrarNode) -> dict[Key, Entry]:
    """What a registrar knows of all elements."""
    return {
        (handle, element.identifier): (element.home, element.blob)
        for handle, pool in node.core.handlespace.pools.items()
        for element in pool.elements.values()
    }


def difference(one: dict[Key, Entry], other: dict[Key, Entry]) -> str:
    """The first few differences, in words."""
    words = []
    for key in sorted(one.keys() | other.keys()):
        a, b = one.get(key), other.get(key)
        if a != b:
            words.append(f"{shown(key)}: {_entry(a)} / {_entry(b)}")
    return "; ".join(words[:5])


def shown(key: Key) -> str:
    """An element for people."""
    return f"{key[1]:#x} of {key[0].decode()}"


def shown_all(identifiers: Iterable[int]) -> str:
    """Some elements for people."""
    return "{" + ", ".join(f"{each:#x}" for each in sorted(identifiers)) + "}"


def _entry(entry: Entry | None) -> str:
    return "unknown" if entry is None else f"at {entry[0]:#010x}, {entry[1][12:].hex()}"
