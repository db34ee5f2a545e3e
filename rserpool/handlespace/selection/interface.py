"""What a selection policy must offer, and how it is found by its number."""

from collections.abc import Callable, Sequence
from typing import Protocol

from rserpool.handlespace.element import Element
from rserpool.wire.policies import Policy


class Random(Protocol):
    """A source of chance, given from outside; `random.Random` is one."""

    def random(self) -> float:
        """Return a number in [0, 1)."""

    def getrandbits(self, k: int, /) -> int:
        """Return so many random bits."""


class Selection(Protocol):
    """
    The elements of one pool in the order of its policy (RFC 5356).

    A new policy is one class of this kind, declared with `selects`, and one that says what
    the parameter holds, declared with `rserpool.wire.policies.policy`; both may stand in any
    module that is imported before the first pool of that policy.
    """

    def add(self, element: Element) -> None:
        """`element` has joined; its policy parameter is ``element.policy``."""

    def remove(self, element: Element) -> None:
        """`element` leaves."""

    def update(self, element: Element, policy: Policy) -> None:
        """`element` has registered again, with these policy values, perhaps the same."""

    def described(self, element: Element) -> None:
        """``element.blob`` is another one now: of interest to who keeps blobs."""

    def select(self, count: int, room: int) -> Sequence[bytes]:
        """
        Select up to `count` different elements.

        :return: their blobs in the policy's order, at most `room` octets together.
        """


Maker = Callable[[Random], Selection]
_MAKERS: dict[int, Maker] = {}


def selects(*numbers: int) -> Callable[[Maker], Maker]:
    """Declare what selects for the policies of these numbers."""

    def declare(maker: Maker) -> Maker:
        for number in numbers:
            if number in _MAKERS:
                raise TypeError(f"policy {number:#x} has a selection already")
            _MAKERS[number] = maker
        return maker

    return declare


def selection(number: int, default: Maker, random: Random) -> Selection:
    """Return a new selection for the policy of this number, or else the default's."""
    return _MAKERS.get(number, default)(random)
