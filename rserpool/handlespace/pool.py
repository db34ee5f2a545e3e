"""A pool: what its first element settled for all, and the elements in their order."""

from rserpool.handlespace.checksum import words
from rserpool.handlespace.element import Element
from rserpool.handlespace.selection import Random, selection_of
from rserpool.wire import parameters
from rserpool.wire.parameters import PoolElement, UserTransport
from rserpool.wire.policies import Policy, policy_number


class Pool:
    """
    The elements under one pool handle.

    "When a new pool is created", policy type, transport type and transport use are those
    of its first element, and stay (RFC 5352 section 3.1 rule 1).

    :ivar handle_tlv: its Pool Handle parameter, padded.
    :ivar beginning: that and its policy, as every answer about this pool begins.
    :ivar renewal: the registrar's business.
    """

    __slots__ = (
        "beginning",
        "elements",
        "handle",
        "handle_tlv",
        "handle_words",
        "order",
        "policy",
        "renewal",
        "select",
        "transport",
    )

    def __init__(self, handle: bytes, first: PoolElement, random: Random) -> None:
        self.handle = handle
        self.handle_tlv = parameters.encode(parameters.PoolHandle(handle=handle))
        self.handle_words = words(handle)
        self.policy: Policy = first.policy
        self.beginning = self.handle_tlv + parameters.encode(first.policy)
        self.transport: UserTransport = first.user_transport
        self.elements: dict[int, Element] = {}
        self.order = selection_of(policy_number(first.policy), random)
        self.select = self.order.select
        self.renewal: object = None

    def __repr__(self) -> str:
        return f"<Pool {self.handle!r} of {len(self.elements)}>"
