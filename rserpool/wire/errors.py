"""What can be wrong with bytes from a peer, and with values of ours."""


class WireError(ValueError):
    """
    A peer sent what RFC 5354 doesn't allow.

    :ivar offset: where in the message it was found, in octets.
    :ivar tlv: the offending parameter, for the Invalid Values cause; may be empty.
    """

    def __init__(self, text: str, offset: int = 0, tlv: bytes = b"") -> None:
        super().__init__(f"{text} (at octet {offset})")
        self.offset = offset
        self.tlv = tlv


class Truncated(WireError):
    """Something ends before it is complete."""


class BadLength(WireError):
    """A length field that can't be."""


class BadValue(WireError):
    """A field with a value that the RFC excludes."""


class Misplaced(WireError):
    """A known parameter where it doesn't belong, or a second time."""


class Missing(WireError):
    """A mandatory parameter isn't there."""


class EncodeError(ValueError):
    """We tried to send what can't be sent: too long, or out of range."""
