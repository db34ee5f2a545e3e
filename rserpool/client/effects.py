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
class Tell:
    """Something the application, or its log, must know."""

    notice: Notice


Effect = Send | SetTimer | CancelTimer | Dial | HangUp | Hunt | Tell
