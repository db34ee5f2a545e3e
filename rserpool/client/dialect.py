"""
What registrars of other implementations need of pool elements and users.

The default is the RFCs'.  See docs/interoperability.rst for what is behind each.
"""

import attrs


@attrs.frozen(kw_only=True)
class Dialect:
    """How elements and users speak."""

    #: Units of registration life in a second (RFC 5354 section 3.10: 1).
    life_units: int = 1
    #: Octets of a pool handle that a registrar bears; 0: as many as a message.
    handle_bytes: int = 0
    #: How often a registration is renewed within its life; 0: at T4.  A registrar that doesn't
    #: tell an element that it was taken out, or lost its connection, is told again soon.
    renewals: int = 0
    #: How a request for all elements says so in the Handle Resolution Option; None: by having
    #: none.
    everything: int | None = None
    #: Seconds until a pool is asked for again whose registrar doesn't tell of changes.  "If a
    #: negative response is returned, no further updates [...] will occur" (section 2.2.5).
    watch_again: float = 15.0
    #: Whether that is how a pool is watched, and no failure.
    polls: bool = False

    def life(self, seconds: int) -> int:
        """A registration life, as it is sent."""
        return seconds if seconds < 0 else seconds * self.life_units

    def seconds(self, life: int) -> float:
        """A registration life that was told, in seconds; -1 is for ever."""
        if life < 0 or life % self.life_units == 0:
            return max(-1, life // self.life_units)
        return life / self.life_units

    def objection(self, handle: bytes) -> str:
        """Why a registrar can't be asked for this pool; nothing if it can."""
        if not self.handle_bytes or len(handle) <= self.handle_bytes:
            return ""
        return (
            f"a pool handle of {len(handle)} octets would abort a registrar of rsplib: "
            f"{self.handle_bytes} are the most"
        )


RFC = Dialect()
#: rsplib 3.4.4.
RSPLIB = Dialect(
    life_units=1000,
    handle_bytes=32,
    renewals=3,
    everything=0xFFFFFFFF,
    watch_again=2.0,
    polls=True,
)
#: By the name of the profile.
PROFILES = {"rfc": RFC, "rsplib": RSPLIB}
