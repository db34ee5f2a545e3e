"""What a registrar's core holds: every container and every channel and element within reach."""

import enum
from collections import deque
from typing import Any

import attrs

from rserpool.handlespace.element import Element
from rserpool.registrar.events import Channel

#: Never walked into: not the core's, or only values.
_VALUES: tuple[type, ...] = (str, bytes, int, float, bool, type(None), enum.Enum, type)


LARGE = 0xFFFF


@attrs.define
class Holding:
    """
    What was found.

    :ivar sizes: entries of all containers by the way to them; those of one way are added up.
    :ivar numbers: the ways to all that are large enough to be identifiers.
    """

    sizes: dict[str, int] = attrs.field(factory=dict)
    numbers: dict[int, str] = attrs.field(factory=dict)
    channels: set[Channel] = attrs.field(factory=set)
    elements: set[Element] = attrs.field(factory=set)


def held(core: Any) -> Holding:
    """Walk through everything that the core reaches."""
    found = Holding()
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", core)]
    while waiting:
        way, thing = waiting.pop()
        if isinstance(thing, _VALUES) or id(thing) in seen:
            if isinstance(thing, int) and thing > LARGE:
                found.numbers[thing] = way
            continue
        seen.add(id(thing))
        if isinstance(thing, Channel):
            found.channels.add(thing)
        elif isinstance(thing, Element):
            found.elements.add(thing)
            waiting += [(f"{way}.Element", getattr(thing, name)) for name in _WITHIN_ELEMENT]
        elif isinstance(thing, dict):
            _count(found, way, len(thing))
            for key, value in thing.items():
                waiting += [(f"{way}[]", key), (f"{way}[]", value)]
        elif isinstance(thing, (list, set, frozenset, tuple, deque)):
            if not isinstance(thing, (tuple, frozenset)):
                _count(found, way, len(thing))
            waiting += [(f"{way}[]", item) for item in thing]
        elif _ours(thing):
            waiting += [(f"{way}.{name}", value) for name, value in _fields(thing)]
    return found


_WITHIN_ELEMENT = ("pool", "probe", "channel", "home")


def _count(found: Holding, way: str, size: int) -> None:
    found.sizes[way] = found.sizes.get(way, 0) + size


def _ours(thing: Any) -> bool:
    module = type(thing).__module__
    return module.startswith(("rserpool.registrar", "rserpool.handlespace", "sortedcontainers"))


def _fields(thing: Any) -> list[tuple[str, Any]]:
    fields = list(getattr(thing, "__dict__", {}).items())
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__weakref__", "__dict__") and hasattr(thing, name):
                fields.append((name, getattr(thing, name)))
    return fields
