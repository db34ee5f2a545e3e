"""A budget that refills: how a client bounds what others make it do, pure."""


class Bucket:
    """
    A token bucket.

    :param rate: tokens that come back each second.
    :param burst: tokens that it holds at most, and at first.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._counted: float | None = None

    def spend(self, now: float) -> bool:
        """Take a token; False: there is none."""
        if self._counted is not None and now > self._counted:
            self._left = min(self._burst, self._left + (now - self._counted) * self._rate)
        self._counted = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
