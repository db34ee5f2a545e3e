"""
What an association carries: whole messages of ASAP or ENRP, or records of TLS.

Note [Records of TLS]

Over SCTP a record of TLS is one user message, ordered, on stream 0 (RFC 3436 section 6.2).  No
payload protocol identifier is registered for it.  It is 0, "unspecified", and not ASAP's or
ENRP's: what is encrypted is no message of theirs, and whoever reads identifiers, a firewall or
a protocol analyser, would take it for a broken one.  It also shows in the first message that
somebody speaks plain ASAP to a port for TLS, or TLS to a plain one.
"""

import enum

from rserpool.wire.framing import MAXIMUM_LENGTH

#: TLS's record: header, content, and what encryption adds at most (RFC 5246 section 6.2.3).
_RECORD_HEADER, _LONGEST_RECORD = 5, 5 + (1 << 14) + 2048
_HEADER = 4


class Payload(enum.Enum):
    """
    Kinds of user messages, by their payload protocol identifier.

    The numbers of ASAP and ENRP are IANA's (RFC 5352 section 8.3, RFC 5353 section 5.4).
    """

    ASAP = 11
    ENRP = 12
    TLS = 0

    def under(self, secure: bool) -> "Payload":
        """What carries it: itself, or TLS."""
        return Payload.TLS if secure else self

    @property
    def longest(self) -> int:
        """Octets of the longest user message: stops endless partial deliveries."""
        return _LONGEST_RECORD if self is Payload.TLS else (MAXIMUM_LENGTH + 3) & ~3

    def length(self, data: memoryview, at: int) -> int:
        """
        Octets of the user message that begins there, with padding; 0: it can't be told yet.

        What we send is always well formed, so its own length fields tell.
        """
        left = len(data) - at
        if self is Payload.TLS:
            if left < _RECORD_HEADER:
                return 0
            length = _RECORD_HEADER + (data[at + 3] << 8 | data[at + 4])
        else:
            if left < _HEADER:
                return 0
            length = ((data[at + 2] << 8 | data[at + 3]) + 3) & ~3
        return length if length <= left else 0

    def __str__(self) -> str:
        return f"{self.name} ({self.value})"
