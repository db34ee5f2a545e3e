"""What comes again and again: written once, then counted, and the count written in turn."""

from collections.abc import Callable

import attrs

#: Different ones remembered; whoever asks could think of ever new ones.
MAXIMUM_REMEMBERED = 10_000
#: Different ones of one party: it may name any pool, and shall not take all the room.
MAXIMUM_OF_ONE = 64
#: Different refusals of one party within a second: an attacker may choose the words in them,
#: and each is a line.
MAXIMUM_REFUSALS = 16
#: Counts written in one go: each line takes 20 us.
AT_ONCE = 100

Line = dict[str, object]
#: Whose it is (the key of a subject), and what tells it from the others of the same party.
Key = tuple[str | bytes | int | None, ...]


@attrs.define(eq=False)
class _Counted:
    line: Line
    since: float
    count: int = 0


class Repetition:
    """
    Lines that were written, and how often each has come again.

    :param quiet: seconds for which one is only counted.
    :param write: writes a line.
    :param most: different ones of one party.
    """

    def __init__(
        self, quiet: float, write: Callable[[Line], None], most: int = MAXIMUM_OF_ONE
    ) -> None:
        self._quiet = quiet
        self._most = most
        self._write = write
        self._counted: dict[Key, _Counted] = {}
        self._of_one: dict[object, int] = {}

    def __len__(self) -> int:
        return len(self._counted)

    def count(self, key: Key) -> bool:
        """Count one more of those that are known; False: it isn't."""
        found = self._counted.get(key)
        if found is None:
            return False
        found.count += 1
        return True

    def crowded(self, owner: object) -> bool:
        """Whether this party has as many as it may."""
        return self._of_one.get(owner, 0) >= self._most

    def begin(self, key: Key, line: Line, now: float) -> bool:
        """Write the first of its kind; False: there is no room for it."""
        if len(self._counted) >= MAXIMUM_REMEMBERED:
            return False
        self._counted[key] = _Counted(line, now)
        self._of_one[key[0]] = self._of_one.get(key[0], 0) + 1
        self._write(line)
        return True

    def sweep(self, now: float) -> None:
        """Write the counts whose time has come; what didn't come again is forgotten."""
        for _ in range(AT_ONCE):
            key = next(iter(self._counted), None)
            if key is None or now - self._counted[key].since < self._quiet:
                return
            found = self._counted.pop(key)
            if found.count:
                self._write({**found.line, "repeated": found.count})
                found.count, found.since = 0, now
                self._counted[key] = found
            else:
                self._forget(key[0])

    def end(self) -> None:
        """Write all the counts there are: the program ends."""
        for found in self._counted.values():
            if found.count:
                self._write({**found.line, "repeated": found.count})
        self._counted.clear()
        self._of_one.clear()

    def _forget(self, owner: object) -> None:
        self._of_one[owner] -= 1
        if not self._of_one[owner]:
            del self._of_one[owner]
