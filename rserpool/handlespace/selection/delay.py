"""
Elements by load or chance and by how far away they are (draft-dreibholz-rserpool-delay).

A far element is used when the near ones are so much busier that it is worth the way.
"""

from rserpool.handlespace.element import Element
from rserpool.handlespace.selection.drawn import Drawn
from rserpool.handlespace.selection.interface import selects
from rserpool.handlespace.selection.ranked import Ranked
from rserpool.wire.delay import LeastUsedDPF, WeightedRandomDPF

#: All of a weight, in the unit of a distance penalty factor.
_WHOLE = 1 << 32


@selects(LeastUsedDPF.NUMBER)
class LeastUsedDPFSelection(Ranked):
    """The lowest load first, the distance counting as so much more."""

    def rank(self, element: Element) -> int:
        """Load and penalty; a sum above 100 % still ranks."""
        policy = element.policy
        assert isinstance(policy, LeastUsedDPF)
        return policy.load + policy.distance * policy.dpf


@selects(WeightedRandomDPF.NUMBER)
class WeightedRandomDPFSelection(Drawn):
    """By a weight that shrinks with the distance."""

    def weight(self, element: Element) -> int:
        """
        What is left of the weight; no less than 1, as rsplib has it, however far it is.

        A weight of 0 stays 0: the element is never drawn (RFC 5356 section 3.2).
        """
        policy = element.policy
        assert isinstance(policy, WeightedRandomDPF)
        left = policy.weight * max(0, _WHOLE - policy.distance * policy.dpf)
        return max(left, _WHOLE) if policy.weight else 0
