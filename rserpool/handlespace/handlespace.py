"""
The database of pools and their elements: one registrar's copy of the handlespace.

Pure: the time is an argument.  A refusal is an error cause, and then nothing has changed.
"""

import enum
import math

import attrs

from rserpool.handlespace.checksum import Checksums, element_words
from rserpool.handlespace.deadlines import Deadlines
from rserpool.handlespace.description import Description, blob_of, kind_of, with_home
from rserpool.handlespace.element import Element
from rserpool.handlespace.pool import Pool
from rserpool.handlespace.selection import Random
from rserpool.wire import parameters
from rserpool.wire.causes import (
    Cause,
    InconsistentDataControl,
    InconsistentPolicy,
    InconsistentTransport,
    InvalidValues,
    LackOfResources,
    NonUniquePEIdentifier,
)
from rserpool.wire.parameters import PoolElement, PoolHandle
from rserpool.wire.policies import Policy, policy_number


@attrs.frozen(kw_only=True)
class Limits:
    """
    How large the handlespace may grow; 0 is without a limit.

    Each stops one principal, or one that stole a key, from filling the memory by
    registrations (RFC 5355 section 2.1).
    """

    pools: int = 10_000
    elements_per_pool: int = 100_000
    elements_per_principal: int = 100_000
    #: Stops another registrar, or who stole its key, from doing the same (section 2.5).
    elements_per_registrar: int = 500_000
    handle_bytes: int = 255


#: Seconds after which an element comes up for expiry at the latest: an entry of one that
#: is gone, or of a life cut short since, takes no memory for longer.
_HORIZON = 60.0


class How(enum.Enum):
    """What a registration has done."""

    NEW = "new"  # made a pool
    JOINED = "joined"  # one more element
    CHANGED = "changed"  # its element has other attributes now
    RENEWED = "renewed"  # nothing but its time has changed
    REHOMED = "rehomed"  # another registrar was its home before


@attrs.frozen
class Registered:
    """A registration was granted."""

    element: Element
    how: How


class Handlespace:
    """
    Pools by handle, elements by identifier.

    :param random: the source of chance for the policies that need it.
    :param life_unit: seconds in one unit of registration life: 1, or 0.001 where rsplib's
        elements mean milliseconds.
    """

    def __init__(self, limits: Limits, random: Random, life_unit: float = 1.0) -> None:
        self.pools: dict[bytes, Pool] = {}
        self._limits = limits
        self._random = random
        self._life_unit = life_unit
        self._checksums = Checksums()
        self._deadlines: Deadlines[Element] = Deadlines(1.0)
        self._owned: dict[str, int] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def find(self, handle: bytes, identifier: int) -> Element | None:
        """The element, if there is one."""
        pool = self.pools.get(handle)
        return None if pool is None else pool.elements.get(identifier)

    def checksum(self, home: int) -> int:
        """The PE checksum of one registrar (RFC 5353 section 3.6.2)."""
        return self._checksums.of(home)

    def register(
        self,
        handle: bytes,
        element: PoolElement,
        *,
        home: int,
        principal: str | None,
        now: float,
    ) -> Registered | Cause:
        """
        Put an element into its pool, or give the cause why not (RFC 5352 section 3.1).

        :param home: the registrar that owns the element from now on.
        :param principal: who registers; None: nobody has proven to be anybody.
        """
        if not handle or element.life == 0 or element.life < -1:
            return InvalidValues(parameter=parameters.encode(element))
        if self._too_long(handle):
            return InvalidValues(parameter=parameters.encode(PoolHandle(handle=handle)))
        pool = self.pools.get(handle)
        found = None if pool is None else pool.elements.get(element.identifier)
        if found is not None and found.principal not in (None, principal):
            return NonUniquePEIdentifier()
        objection = (
            pool and _inconsistent(pool, element.policy, kind_of(element.user_transport))
        ) or self._limit(pool, found, principal)
        if objection is not None:
            return objection
        how = How.NEW if pool is None else How.JOINED if found is None else How.CHANGED
        if pool is None:
            pool = Pool(handle, element.policy, element.user_transport, self._random)
            self.pools[handle] = pool
        if found is None:
            found = self._join(pool, element.identifier, element.policy, home)
        elif found.home != home:
            self.set_home(found, home)
            how = How.REHOMED
        self._claim(found, principal)
        found.life = element.life
        if not self._describe(found, element.policy, blob_of(element, home)):
            how = How.RENEWED if how is How.CHANGED else how
        self.live(found, now)
        return Registered(found, how)

    def replicate(self, handle: bytes, entry: Description, home: int) -> Element | Cause:
        """
        Take an element over as its home registrar describes it (RFC 5353 section 3.3.1).

        Its home alone ends its life, and has checked who it is of.
        """
        if not handle or self._too_long(handle):
            return InvalidValues(parameter=entry.blob)
        pool = self.pools.get(handle)
        found = None if pool is None else pool.elements.get(entry.identifier)
        objection = (pool and _inconsistent(pool, entry.policy, entry.kind)) or self._limit(
            pool, found, entry.principal
        )
        if objection is not None:
            return objection
        if pool is None:
            pool = Pool(handle, entry.policy, entry.transport, self._random)
            self.pools[handle] = pool
        if found is None:
            found = self._join(pool, entry.identifier, entry.policy, home)
        elif found.home != home:
            self.set_home(found, home)
        self._claim(found, entry.principal)
        found.life = entry.life
        blob = entry.blob
        if entry.home != home:
            blob = with_home(blob, home)
        self._describe(found, entry.policy, blob)
        found.contact = entry.contact
        found.expires = math.inf
        return found

    def live(self, element: Element, now: float) -> None:
        """Its registration life begins anew."""
        life = element.life
        element.expires = math.inf if life < 0 else now + life * self._life_unit
        self._watch(element, now)

    def renew(self, element: Element, now: float) -> None:
        """The element has registered again just as it was."""
        if element.life >= 0:
            element.expires = now + element.life * self._life_unit
        element.pool.order.update(element, element.policy)

    def remove(self, element: Element) -> None:
        """Take the element out, and its pool when it was the last (section 3.2)."""
        pool = element.pool
        del pool.elements[element.identifier]
        pool.order.remove(element)
        if not pool.elements:
            del self.pools[pool.handle]
        self._checksums.subtract(
            element.home, element_words(pool.handle_words, element.identifier)
        )
        self._claim(element, None)
        self._size -= 1

    def set_home(self, element: Element, home: int) -> None:
        """Another registrar owns the element now."""
        words = element_words(element.pool.handle_words, element.identifier)
        self._checksums.subtract(element.home, words)
        self._checksums.add(home, words)
        element.home = home
        element.blob = with_home(element.blob, home)
        element.pool.order.described(element)

    def expired(self, now: float, at_most: int) -> list[Element]:
        """Whose registration life is over, up to so many; they are still there."""
        found = []
        for element in self._deadlines.due(now, at_most):
            if element.pool.elements.get(element.identifier) is not element:
                continue
            if element.due > now:
                continue  # another entry was put in later: a shorter life
            if element.expires <= now:
                element.due = math.inf  # a second entry may be due in the same moment
                found.append(element)
            else:
                element.due = math.inf
                if element.expires < math.inf:
                    self._watch(element, now)
        return found

    def of_home(self, home: int) -> list[Element]:
        """
        All elements of one registrar.

        A look at each of all: 100,000 take some 8 ms.  An index would take more memory than
        so rare a question is worth.
        """
        return [
            element
            for pool in self.pools.values()
            for element in pool.elements.values()
            if element.home == home
        ]

    def next_expiry(self) -> float | None:
        """When to ask `expired` again."""
        return self._deadlines.next()

    def count(self, home: int) -> int:
        """How many elements a registrar has."""
        return self._checksums.count(home)

    def _too_long(self, handle: bytes) -> bool:
        return _over(len(handle) - 1, self._limits.handle_bytes)

    def _limit(
        self, pool: Pool | None, found: Element | None, principal: str | None
    ) -> Cause | None:
        limits = self._limits
        full = (
            (pool is None and _over(len(self.pools), limits.pools))
            or (
                pool is not None
                and found is None
                and _over(len(pool.elements), limits.elements_per_pool)
            )
            or (
                principal is not None
                and (found is None or found.principal is None)
                and _over(self._owned.get(principal, 0), limits.elements_per_principal)
            )
        )
        return LackOfResources() if full else None

    def _join(self, pool: Pool, identifier: int, policy: Policy, home: int) -> Element:
        new = Element(pool, identifier)
        new.home = home
        # Elements of one pool mostly have equal policies: one object serves them all.
        new.policy = pool.policy if policy == pool.policy else policy
        pool.elements[identifier] = new
        pool.order.add(new)
        self._checksums.add(home, element_words(pool.handle_words, identifier))
        self._size += 1
        return new

    def _describe(self, element: Element, policy: Policy, blob: bytes) -> bool:
        """Take over the attributes; whether any has changed."""
        pool = element.pool
        pool.order.update(element, pool.policy if policy == pool.policy else policy)
        if blob == element.blob:
            return False
        element.blob = blob
        pool.order.described(element)
        return True

    def _claim(self, element: Element, principal: str | None) -> None:
        if element.principal == principal:
            return
        for name, step in ((element.principal, -1), (principal, 1)):
            if name is not None:
                count = self._owned.get(name, 0) + step
                if count:
                    self._owned[name] = count
                else:
                    del self._owned[name]
        element.principal = principal

    def _watch(self, element: Element, now: float) -> None:
        """See that the element comes up when its life may be over."""
        when = min(element.expires, now + _HORIZON) if element.life >= 0 else math.inf
        if when < element.due:
            element.due = when
            self._deadlines.put(when, element)


def _over(used: int, limit: int) -> bool:
    return limit > 0 and used >= limit


def _inconsistent(pool: Pool, policy: Policy, kind: bytes) -> Cause | None:
    """What of an element doesn't fit the pool (RFC 5352 section 3.1 rule 2)."""
    if policy_number(pool.policy) != policy_number(policy):
        return InconsistentPolicy(policy=pool.policy)
    if pool.kind[:2] != kind[:2]:
        return InconsistentTransport(transport=pool.transport)
    return None if pool.kind == kind else InconsistentDataControl()
