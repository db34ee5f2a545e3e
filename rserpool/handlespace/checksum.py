"""
PE checksums, kept while elements come and go (RFC 5353 section 3.6.2, RFC 1071).

The sum is kept as an exact integer and folded when it is read: adding and removing in any
order gives what a calculation from nothing would give.
"""


class Checksums:
    """One sum of 16-bit words for each home registrar."""

    def __init__(self) -> None:
        self._sums: dict[int, int] = {}
        self._counts: dict[int, int] = {}

    def add(self, home: int, words: int) -> None:
        """An element of `home` has come."""
        self._sums[home] = self._sums.get(home, 0) + words
        self._counts[home] = self._counts.get(home, 0) + 1

    def subtract(self, home: int, words: int) -> None:
        """An element of `home` has gone."""
        self._sums[home] -= words
        self._counts[home] -= 1
        if not self._counts[home]:
            del self._sums[home], self._counts[home]

    def count(self, home: int) -> int:
        """How many elements a registrar has."""
        return self._counts.get(home, 0)

    def of(self, home: int) -> int:
        """The checksum of all elements of `home`; 0xffff when it has none."""
        total = self._sums.get(home, 0)
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return ~total & 0xFFFF


def words(data: bytes) -> int:
    """The sum of the 16-bit words of `data`, padded with zeros to a multiple of four."""
    data += bytes(-len(data) % 4)
    return sum(memoryview(data).cast("B")[1::2]) + 256 * sum(data[0::2])


def element_words(handle_words: int, identifier: int) -> int:
    """What one element adds: its pool handle and its identifier."""
    return handle_words + (identifier >> 16) + (identifier & 0xFFFF)
