"""What happened in a simulated world, kept as it was and put into words when asked for."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import attrs

from rserpool.wire import asap, enrp
from rserpool.wire.framing import Splitter

#: Events that are shown of a failure.
LAST = 300


class Trace:
    """
    The last events of a run.

    :param most: how many are kept; None: all.
    """

    def __init__(self, most: int | None = LAST) -> None:
        self._events: deque[tuple[float, str, Any]] = deque(maxlen=most)

    def add(self, now: float, who: str, what: Any) -> None:
        """Something happened: words, or what `told` puts into words."""
        self._events.append((now, who, what))

    def lines(self) -> Iterator[str]:
        """All of it, a line each."""
        for now, who, what in self._events:
            for words in [what] if isinstance(what, str) else told(*what):
                yield f"{now:9.3f} {who:>6} {words}"


def told(kind: str, protocol: str, other: str, data: bytes) -> Iterator[str]:
    """Messages in words: ``<- r2 Presence(sender=...)``."""
    codec = enrp if protocol == "enrp" else asap
    try:
        for message in Splitter().feed(data):
            yield f"{kind} {other} {_brief(codec.decode(message).message)}"
    except Exception as error:  # a trace tells what it can
        yield f"{kind} {other} {data.hex()} ({error!r})"


def _brief(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_brief, value))}]"
    if not attrs.has(type(value)):
        large = isinstance(value, int) and not isinstance(value, bool) and value > 0xFFFF
        return f"{value:#010x}" if large else repr(value)
    name = type(value).__name__
    if name == "PoolElement":
        return f"{value.identifier:#x}@{value.home:#010x} life={value.life} {value.policy}"
    if name == "ServerInformation":
        return f"{value.identifier:#010x}"
    fields = [
        f"{field.name}={_brief(content)}"
        for field in attrs.fields(type(value))
        if (content := getattr(value, field.name)) not in ((), None, False)
    ]
    return f"{name}({', '.join(fields)})"
