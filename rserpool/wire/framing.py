"""A stream of bytes to whole messages: the mapping for TCP and TLS (messages back to back)."""

from rserpool.wire.errors import BadLength

#: What a 16-bit Message Length can say.
MAXIMUM_LENGTH = 0xFFFF


class Splitter:
    """
    Cuts the bytes of one connection into messages, each with its padding.

    Keeps at most one unfinished message (65,538 octets) beside the read at hand.
    """

    __slots__ = ("_needed", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = 0  # octets before there is anything to cut

    def feed(self, data: bytes) -> list[bytes]:
        """
        Return the messages that `data` completes.

        :raise BadLength: a Message Length under 4: the stream can't be trusted any more.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        messages = []
        at, end = 0, len(data)
        after = 4
        while end - at >= 4:
            length = data[at + 2] << 8 | data[at + 3]
            if length < 4:
                raise BadLength(f"a Message Length of {length}", at + 2)
            after = at + ((length + 3) & ~3)
            if after > end:
                break
            messages.append(data[at:after])
            at = after
        if at < end:
            self._rest += data[at:] if at else data
            self._needed = max(after - at, 4)
        return messages
