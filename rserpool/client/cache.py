"""A pool user's memory of resolutions (RFC 5352 section 3.3, rules C1 to C4)."""

from rserpool.client.resolution import Resolution

#: Resolutions kept at once: an application that takes its handles from its own clients
#: (a proxy, say) must not be made to remember every handle that anybody thought of.
MOST = 1024


class Cache:
    """
    The last good answer for each pool and number of elements.

    :param stale: seconds after which it is asked for anew (``stale_cache_value``); 0: no
        answer is used twice.
    """

    def __init__(self, stale: float) -> None:
        self._stale = stale
        self._kept: dict[tuple[bytes, int | None], tuple[float, Resolution]] = {}

    def find(self, handle: bytes, items: int | None, now: float) -> Resolution | None:
        """What is known, unless it is stale."""
        kept = self._kept.get((handle, items))
        if kept is None or now - kept[0] >= self._stale:
            return None
        return kept[1]

    def keep(self, resolution: Resolution, items: int | None, now: float) -> None:
        """Remember a good answer; a refusal ends what is remembered."""
        if resolution.refusal is not None:
            self.drop(resolution.handle)
        elif self._stale:
            # Put last, so that the first is always the oldest.
            self._kept.pop((resolution.handle, items), None)
            self._kept[resolution.handle, items] = (now, resolution)
            if len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]

    def drop(self, handle: bytes) -> None:
        """Forget a pool: one of its elements has failed, or it is gone."""
        for key in [key for key in self._kept if key[0] == handle]:
            del self._kept[key]
