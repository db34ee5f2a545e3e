"""
What a registrar may want that has called a pool element, pure (RFC 5352 section 3.4).

One that has no association with an element opens one to ask whether it is there, or to say that
it is its home now: it has taken over the registrar that was (RFC 5353 section 3.5.2).
"""

import attrs

from rserpool.client.element import Element
from rserpool.wire import asap
from rserpool.wire.errors import WireError


@attrs.frozen
class Visit:
    """
    What comes of a message.

    :ivar answer: what is sent back; empty: nothing.
    :ivar home: the server ID of who is the home registrar from now on; None: nothing changes.
    :ivar objection: why the caller is cut off; empty: it isn't.
    """

    answer: bytes = b""
    home: int | None = None
    objection: str = ""


def visit(element: Element, data: bytes, now: float) -> Visit:
    """Judge a message of a registrar that has called, and isn't home."""
    try:
        message = asap.decode(data).message
    except WireError as error:
        return Visit(objection=f"it sends nonsense: {error}")
    if not isinstance(message, asap.EndpointKeepAlive):
        return Visit(objection="it has called, and sends no keep-alive")
    flood = element.floods.keep_alive(now)
    if flood:
        return Visit(objection=flood)
    member = element.membership
    mine = message.handle == member.handle
    mine &= message.identifier in (None, member.identifier)  # rsplib names the element, too
    if not mine or not element.wanted:
        return Visit()  # discarded in silence (KA1); who isn't in the pool says nothing, too
    answer = asap.encode(
        asap.EndpointKeepAliveAck(handle=member.handle, identifier=member.identifier)
    )
    if not message.new_home or message.server == element.home:
        return Visit(answer)
    flood = element.floods.adoption(now)
    return Visit(objection=flood) if flood else Visit(answer, message.server)
