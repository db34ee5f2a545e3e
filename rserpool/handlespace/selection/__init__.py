"""Selection policies (RFC 5356): one structure a module, found by the policy's number."""

from rserpool.handlespace.selection import delay, drawn, ranked
from rserpool.handlespace.selection.interface import Random, Selection, selection, selects
from rserpool.handlespace.selection.ring import RoundRobinSelection

__all__ = ["Random", "Selection", "delay", "drawn", "ranked", "selection_of", "selects"]


def selection_of(number: int, random: Random) -> Selection:
    """A new selection; a policy that nobody knows is served round robin."""
    return selection(number, RoundRobinSelection, random)
