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
        """What is left of the weight: nothing only if it was 0, as near or far as it may be."""
        policy = element.policy
        assert isinstance(policy, WeightedRandomDPF)
        return policy.weight * max(1, _WHOLE - policy.distance * policy.dpf)
