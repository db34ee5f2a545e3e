"""
A pool user that can prove how it chose (RFC 5355 section 2.17): pure.

.. code-block:: python

    draws = Draws(b"web", b"dns:pu.example", Seeded(b"what the site has published").at,
                  clock=time.time)
    connection = PoolConnection(reactor, user, b"web", factory, security, draws=draws)
    ...
    protocol.transport.write(connection.proof)  # in front of all else, say

How the proof gets to the element is the application's business: there is no channel between a
pool user and an element but its own (RFC 5351 section 1.3).
"""

from collections.abc import Callable, Sequence
from functools import cmp_to_key

import attrs

from rserpool.client import draw
from rserpool.client.draw import MOST_DRAWS, MOST_EXCUSED, Proof
from rserpool.client.resolution import Resolution
from rserpool.wire.parameters import PoolElement


@attrs.frozen
class Seeded:
    """Nonces from a seed that a site has published once."""

    seed: bytes

    def at(self, number: int) -> bytes:
        """Return the nonce of a period."""
        return draw.seeded(self.seed, number)


#: The number of a period to its nonce.
Nonces = Callable[[int], bytes]


class Exhausted(Exception):
    """All draws of this period have been made: no element would take one more."""


class Draws:
    """
    A user's draws from one pool; all that it does under one name must go through one of these.

    :param name: as which elements know this user: the principal that it proves to them.
    :param nonces: the same as the elements'.
    :param clock: seconds since the epoch.
    :param most: draws in a period.
    """

    def __init__(
        self,
        handle: bytes,
        name: bytes,
        nonces: Nonces,
        clock: Callable[[], float],
        most: int = MOST_DRAWS,
    ) -> None:
        self.handle = handle
        self._name = name
        self._nonces = nonces
        self._clock = clock
        self._most = most
        self._number = -1
        self._index = 0
        self._link = b""

    def draw(self, found: Resolution) -> "Drawn | None":
        """
        Draw for one use of the pool.

        :return: None: its policy doesn't choose by a fixed chance, and nothing is proven.
        :raise Exhausted: there have been too many in this period.
        """
        weights = {}
        for element in found.elements:
            weight = draw.weight_of(element.policy)
            if weight is None:
                return None
            weights[element.identifier] = weight
        number = draw.period(self._clock())
        if number != self._number:
            self._number, self._index = number, 0
            self._link = draw.first_link(self._nonces(number), self.handle, self._name)
        elif self._index + 1 < self._most:
            self._index += 1
            self._link = draw.link_at(self._link, 1)
        else:
            raise Exhausted(f"{self._most} draws from {self.handle!r} in {draw.PERIOD} seconds")
        return Drawn(number, self._index, self._link, found.elements, weights)


class Drawn:
    """
    The elements in the order in which one draw takes them: the first that works is used.

    Used like :class:`rserpool.client.resolution.Chooser`.
    """

    def __init__(
        self,
        number: int,
        index: int,
        link: bytes,
        elements: Sequence[PoolElement],
        weights: dict[int, int],
    ) -> None:
        def earlier(one: PoolElement, other: PoolElement) -> int:
            ours, theirs = one.identifier, other.identifier
            return 0 if ours == theirs else -1 if draw.beats(link, ours, theirs, weights) else 1

        self._number, self._index, self._link = number, index, link
        able = [one for one in elements if weights[one.identifier]]
        self._order = sorted(able, key=cmp_to_key(earlier))
        self._failed: list[int] = []

    def choose(self) -> PoolElement | None:
        """The element that is drawn; None: all have failed."""
        if len(self._failed) > MOST_EXCUSED:
            return None
        return self._order[0] if self._order else None

    def failed(self, identifier: int) -> None:
        """An element could not be reached: the next one is drawn, and its proof says so."""
        before = len(self._order)
        self._order = [one for one in self._order if one.identifier != identifier]
        if len(self._order) < before:
            self._failed.append(identifier)

    def proof(self) -> bytes:
        """By what the element was drawn that `choose` tells, as a parameter."""
        return Proof(self._number, self._index, self._link, tuple(self._failed)).encode()
