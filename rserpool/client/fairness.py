"""
An element that has its users prove how they chose it (RFC 5355 section 2.17): pure.

.. code-block:: python

    view = View()
    user.watch(b"web", lambda found: view.changed(found, time.time()))
    fairness = Fairness(b"web", identifier, Seeded(b"what the site has published").at)
    ...
    now = time.time()
    weights = view.weights(now, identifier)
    if fairness.judge(proof, principal.encode(), weights, now) is not Fit.FITS:
        transport.loseConnection()  # or go on: it is counted in fairness.counts

Note [What is checked, and what can't be]

That the draw is of this user, this pool and about now; that it hasn't been shown before; and
that none of the pool's elements, as this one knows them, should have been drawn rather than it.
What the user did with the draws before can't be checked: one that throws draws away until it
gets the element that it likes looks to that element just like one that has used them elsewhere.
It gets no more of it than its draws' share, which is what `most` bounds; and elements that put
together what each has seen find what is missing (`skipped`).
"""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256

import attrs

from rserpool.client import draw
from rserpool.client.draw import MOST_DRAWS, Proof
from rserpool.client.drawing import Nonces
from rserpool.client.resolution import Resolution

#: Seconds that the clocks of a user and an element may differ, and a proof be on its way.
CLOCKS = 30.0
#: Elements that a user may say have failed before this one: each is one more lot for who only
#: says so.
EXCUSED = 2
#: Users of one period that are remembered, at some 200 octets each.  Where anybody can have any
#: number of names, this stops what they cost.
MOST_USERS = 65_536
#: Seconds for which an element that is new, or has a new weight, isn't counted against users,
#: who may not have heard of it yet.
GRACE = 30.0


class Fit(enum.Enum):
    """What a proof is worth."""

    FITS = "fits"
    MALFORMED = "malformed"  # no proof
    UNTIMELY = "untimely"  # of another period
    FOREIGN = "foreign"  # of another user or pool, or over another nonce
    SPENT = "spent"  # shown before, or more than a period has
    BEATEN = "beaten"  # another element should have been drawn
    EXCUSING = "excusing"  # too many are said to have failed
    CROWDED = "crowded"  # there are more users than can be remembered


class Fairness:
    """
    Judges the proofs that an element is shown.

    :param nonces: the same as the users'.
    :param most: draws of one user in one period.
    :param excused: how many elements a user may say have failed.
    :ivar counts: how many proofs were worth what.
    :ivar blamed: how often users have said that these elements fail, of those that it knows.
    """

    def __init__(
        self,
        handle: bytes,
        identifier: int,
        nonces: Nonces,
        *,
        most: int = MOST_DRAWS,
        excused: int = EXCUSED,
    ) -> None:
        self.counts: Counter[Fit] = Counter()
        self.blamed: Counter[int] = Counter()
        self._handle = handle
        self._identifier = identifier
        self._nonces = nonces
        self._most = most
        self._excused = excused
        self._seen: dict[int, dict[bytes, int]] = {}  # period -> user -> bits of its draws

    def judge(self, data: bytes, name: bytes, weights: Mapping[int, int], now: float) -> Fit:
        """
        Judge one proof, and count it.

        :param name: who the user has proven to be, to this element.
        :param weights: of the pool's elements, by identifier (:meth:`View.weights`).
        :param now: seconds since the epoch.
        """
        proof = draw.decode(data)
        fit = Fit.MALFORMED if proof is None else self._worth(proof, name, weights, now)
        self.counts[fit] += 1
        if proof is not None and fit is Fit.FITS:
            self.blamed.update(one for one in proof.excused if one in weights)
        return fit

    def seen(self, name: bytes, number: int) -> int:
        """Return the draws of a user in a period that came here, as bits, for `skipped`."""
        return self._seen.get(number, {}).get(sha256(name).digest(), 0)

    def _worth(self, proof: Proof, name: bytes, weights: Mapping[int, int], now: float) -> Fit:
        if not draw.period(now - CLOCKS) <= proof.number <= draw.period(now + CLOCKS):
            return Fit.UNTIMELY
        if proof.index >= self._most:
            return Fit.SPENT
        first = draw.first_link(self._nonces(proof.number), self._handle, name)
        if draw.link_at(first, proof.index) != proof.link:
            return Fit.FOREIGN
        if self.seen(name, proof.number) >> proof.index & 1:
            return Fit.SPENT  # before the work of looking through the pool
        if len(proof.excused) > self._excused:
            return Fit.EXCUSING
        if self._beaten(proof, weights):
            return Fit.BEATEN
        return self._spend(proof, name, now)

    def _beaten(self, proof: Proof, weights: Mapping[int, int]) -> bool:
        own = self._identifier
        if own not in weights or not weights[own]:
            return True
        return any(
            not draw.beats(proof.link, own, other, weights)
            for other in weights
            if other != own and other not in proof.excused
        )

    def _spend(self, proof: Proof, name: bytes, now: float) -> Fit:
        oldest = draw.period(now - CLOCKS)
        for number in [number for number in self._seen if number < oldest]:
            del self._seen[number]
        users = self._seen.setdefault(proof.number, {})
        user = sha256(name).digest()
        if user not in users and len(users) >= MOST_USERS:
            return Fit.CROWDED
        users[user] = users.get(user, 0) | 1 << proof.index
        return Fit.FITS


@attrs.frozen
class _Known:
    weight: int
    since: float


class View:
    """The pool as an element knows it, from watching it like any pool user."""

    def __init__(self, grace: float = GRACE) -> None:
        self._grace = grace
        self._known: dict[int, _Known] = {}

    def changed(self, found: Resolution, now: float) -> None:
        """The registrar has told who is in the pool."""
        before, self._known = self._known, {}
        for element in found.elements:
            weight = draw.weight_of(element.policy)
            if weight is None:
                continue
            known = before.get(element.identifier)
            if known is None or known.weight != weight:
                known = _Known(weight, now)
            self._known[element.identifier] = known

    def weights(self, now: float, own: int) -> dict[int, int]:
        """The weights that count against users: of `own`, and of all that aren't new."""
        return {
            identifier: known.weight
            for identifier, known in self._known.items()
            if identifier == own or now - known.since >= self._grace
        }


def skipped(seen: Iterable[int]) -> tuple[int, int]:
    """
    Put together what all elements of a pool have seen of one user in one period.

    :param seen: what :meth:`Fairness.seen` tells at each of them.
    :return: how many draws the user has made, and how many of these came to nobody.  Some are
        lost with elements that fail; who throws draws away loses nearly all.
    """
    union = 0
    for bits in seen:
        union |= bits
    made = union.bit_length()
    return made, made - union.bit_count()
