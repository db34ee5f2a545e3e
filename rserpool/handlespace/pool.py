"""A pool: what its first element settled for all, and the elements in their order."""

from rserpool.handlespace.checksum import words
from rserpool.handlespace.description import kind_of
from rserpool.handlespace.element import Element
from rserpool.handlespace.selection import Random, selection_of
from rserpool.wire import parameters
from rserpool.wire.parameters import UserTransport
from rserpool.wire.policies import Policy, policy_number


class Pool:
    """
    The elements under one pool handle.

    "When a new pool is created", policy type, transport type and transport use are those
    of its first element, and stay (RFC 5352 section 3.1 rule 1).

    :ivar handle_tlv: its Pool Handle parameter, padded.
    :ivar beginning: that and its policy, as every answer about this pool begins.
    :ivar kind: type and use of its elements' transports.
    :ivar renewal: the registrar's business.
    """

    __slots__ = (
        "beginning",
        "elements",
        "handle",
        "handle_tlv",
        "handle_words",
        "kind",
        "order",
        "policy",
        "renewal",
        "select",
        "transport",
    )

    def __init__(
        self, handle: bytes, policy: Policy, transport: UserTransport, random: Random
    ) -> None:
        self.handle = handle
        self.handle_tlv = parameters.encode(parameters.PoolHandle(handle=handle))
        self.handle_words = words(handle)
        self.policy = policy
        self.beginning = self.handle_tlv + parameters.encode(policy)
        self.transport = transport
        self.kind = kind_of(transport)
        self.elements: dict[int, Element] = {}
        self.order = selection_of(policy_number(policy), random)
        self.select = self.order.select
        self.renewal: object = None

    def __repr__(self) -> str:
        return f"<Pool {self.handle!r} of {len(self.elements)}>"
