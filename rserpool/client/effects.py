"""What a client's machines want done; its Twisted side performs it."""

import attrs

from rserpool.client.events import Notice


@attrs.frozen
class Send:
    """Messages for the home registrar."""

    data: bytes


@attrs.frozen
class SetTimer:
    """Ring `name` in so many seconds; an earlier setting of it is void."""

    name: str
    seconds: float


@attrs.frozen
class CancelTimer:
    """`name` must not ring."""

    name: str


@attrs.frozen
class Dial:
    """Call the registrar of this index."""

    index: int


@attrs.frozen
class HangUp:
    """Give up the call to this registrar, or the connection with it."""

    index: int


@attrs.frozen
class Hunt:
    """Leave the home registrar and look for another one."""

    reason: str


@attrs.frozen
class Redial:
    """Call the home registrar once more; the connection with it stays."""


@attrs.frozen
class Switch:
    """Speak by the second connection from now on; the first one stays open."""


@attrs.frozen
class Settle:
    """End the first connection: the second is the one with the home registrar."""


@attrs.frozen
class Stay:
    """End the second connection: the first is still, or again, the one to speak by."""


@attrs.frozen
class Tell:
    """Something the application, or its log, must know."""

    notice: Notice


Effect = (
    Send
    | SetTimer
    | CancelTimer
    | Dial
    | HangUp
    | Hunt
    | Redial
    | Switch
    | Settle
    | Stay
    | Tell
)
