"""
What a home registrar may make a pool element do, pure (RFC 5355 section 2.14).

Note [One budget for all homes]

The budgets belong to the element, not to a connection: a registrar that hangs up and is called
again, or several that work together, have no more than one has.  An element that left a home
for a flood has tokens again a moment later, long before an honest registrar asks for the first
time.
"""

from rserpool.client.bucket import Bucket
from rserpool.wire import asap

#: Keep-alives answered each second, and in a row.  Ours sends at most one each 5 s (10 s minus
#: half), one each second for reports of other people after 5 at once, and one to say that it is
#: home now: 1.2 a second, 7 in a row.  Four and three times that let a registrar be whose
#: operator wants to know sooner; a flood costs us 5 short answers a second, no more.
KEEP_ALIVES_PER_SECOND = 5.0
KEEP_ALIVES_BURST = 20
#: Everything else that comes without having been asked for: ends of registrations, errors,
#: keep-alives for other pools, what nobody here knows and must be answered by an error.  An
#: honest registrar has next to nothing of that; each costs a log line, and up to an answer.
OTHERS_PER_SECOND = 1.0
OTHERS_BURST = 20
#: Takeovers of our home by registrars that have called us: each costs a connection and a
#: registration.  An honest scope has one when a registrar dies.
ADOPTIONS_PER_SECOND = 0.1
ADOPTIONS_BURST = 5


class Floods:
    """
    Tells a flood from what a registrar may say.

    :ivar count: floods so far; each one was a reason to leave a home.
    """

    def __init__(self) -> None:
        self.count = 0
        self._keep_alives = Bucket(KEEP_ALIVES_PER_SECOND, KEEP_ALIVES_BURST)
        self._others = Bucket(OTHERS_PER_SECOND, OTHERS_BURST)
        self._adoptions = Bucket(ADOPTIONS_PER_SECOND, ADOPTIONS_BURST)

    def keep_alive(self, now: float) -> str:
        """One has come for us; why it isn't answered, or nothing."""
        return self._spent(self._keep_alives, "keep-alives", now)

    def adoption(self, now: float) -> str:
        """A caller wants to be home; why it isn't, or nothing."""
        return self._spent(self._adoptions, "takeovers", now)

    def unasked(self, message: object, now: float) -> str:
        """Something else has come that we haven't asked for; why it isn't heard, or nothing."""
        what = "errors" if isinstance(message, asap.Error) else "messages that nobody asked for"
        return self._spent(self._others, what, now)

    def _spent(self, bucket: Bucket, what: str, now: float) -> str:
        if bucket.spend(now):
            return ""
        self.count += 1
        again = "" if self.count == 1 else f"; this is flood {self.count}"
        return f"it floods us with {what}{again}"
