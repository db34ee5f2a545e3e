"""An element as the handlespace keeps it: few objects, since there may be 100,000."""

import math
from typing import TYPE_CHECKING

from rserpool.wire.policies import Policy

if TYPE_CHECKING:
    from rserpool.handlespace.pool import Pool
    from rserpool.handlespace.selection.ring import Ring


class Element:
    """
    One pool element.

    :ivar principal: who owns the entry; None: nobody has proven to.
    :ivar blob: its Pool Element parameter, padded, as answers carry it: with its home,
        and without ASAP Transport, which is for registrars.
    :ivar contact: what registrars tell each other beside it: ASAP Transport and principal, as
        padded parameters.
    :ivar expires: when its registration life ends; infinity for a life of -1, and for one whose
        home is another registrar, which alone ends it.
    :ivar due: when it comes up for expiry: then, or before.
    :ivar channel: through which it registered: the registrar's business.
    :ivar probe: what the registrar knows of its reachability.
    :ivar watched: whether the registrar will send it a keep-alive.
    :ivar before, after, ring: its neighbours in the order of selection.
    :ivar rank: its place in an order, or its place in a tree.
    :ivar count: how often it was selected (RFC 5356 section 5.2.2).
    """

    __slots__ = (
        "after",
        "before",
        "blob",
        "channel",
        "contact",
        "count",
        "due",
        "expires",
        "home",
        "identifier",
        "life",
        "policy",
        "pool",
        "principal",
        "probe",
        "rank",
        "ring",
        "watched",
    )

    def __init__(self, pool: "Pool", identifier: int) -> None:
        self.pool = pool
        self.identifier = identifier
        self.home = 0
        self.principal: str | None = None
        self.blob = b""
        self.contact = b""
        self.policy: Policy = pool.policy
        self.life = 0
        self.expires = math.inf
        self.due = math.inf
        self.channel: object = None
        self.probe: object = None
        self.watched = False
        self.before: Element | None = None
        self.after: Element | None = None
        self.ring: Ring | None = None
        self.rank = 0
        self.count = 0

    def __repr__(self) -> str:
        return f"<Element {self.identifier:#010x} of {self.pool.handle!r}>"
