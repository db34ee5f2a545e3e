"""
A chain of lines, in which each is bound to all before it; pure.

Note [Chain]

A line is a JSON object whose last two keys are ``seq``, which counts from 1, and ``chain``:
the SHA-256 of the chain of the line before (64 hexadecimal digits; zeros before the first)
and of this line without its chain.  Whoever edits a line, takes one out, puts one in or
changes their order breaks the chain from there on.

Two things a chain alone can't tell.  Its end may be cut off: so the registrar tells the head
(number and chain) of the last line on its status page and in its log, where whoever changes
the file doesn't reach.  And who can write the file may reckon the whole of it anew: against
that, too, only a head that was kept elsewhere helps.
"""

import json
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256

import attrs

NOTHING = "0" * 64
_SEAL = re.compile(rb', "seq": ([0-9]+), "chain": "([0-9a-f]{64})"\}$')
#: What the first line of a file says: which chain it goes on with.
CONTINUES = "continues"


@attrs.frozen
class Head:
    """The last line of a chain: its number and its chain."""

    seq: int = 0
    chain: str = NOTHING

    def __str__(self) -> str:
        return f"{self.seq}:{self.chain}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """
        Read ``SEQ:CHAIN``.

        :raise ValueError: it isn't.
        """
        found = re.fullmatch(r"([0-9]+):([0-9a-f]{64})", text.strip())
        if found is None:
            raise ValueError(f"{text!r} isn't SEQ:CHAIN, a number and 64 hexadecimal digits")
        return cls(int(found[1]), found[2])


def seal(line: dict[str, object], before: Head) -> tuple[bytes, Head]:
    """Bind one more line to those before it; without a line break."""
    body = json.dumps(line, ensure_ascii=True)[:-1].encode()
    seq = before.seq + 1
    body += b', "seq": %d' % seq
    chain = _bound(before.chain, body)
    return body + b', "chain": "%s"}' % chain.encode(), Head(seq, chain)


def sealed(line: bytes) -> Head | None:
    """The number and the chain that stand in a line; None: it has none."""
    split = _split(line)
    return None if split is None else split[1]


@attrs.frozen
class Fault:
    """Where a chain is broken."""

    where: str  # ``FILE:LINE``
    words: str


@attrs.define
class Verifier:
    """
    Follows a chain through one file after the other, the oldest first.

    :ivar kept: a line as somebody else knows it: it must be here, and the same.
    :ivar head: the last line that was seen.
    :ivar lines: how many there were.
    :ivar notes: what isn't wrong, and an auditor should know.
    :ivar faults: where it is broken.
    """

    kept: Head | None = None
    head: Head | None = None
    lines: int = 0
    notes: list[str] = attrs.field(factory=list)
    faults: list[Fault] = attrs.field(factory=list)
    _seen: bool = False
    _other: str = ""  # where another line stands with the number of the one that was kept

    def feed(self, name: str, lines: Iterable[bytes]) -> None:
        """
        Take the lines of an audit file, or of a daemon's log that has them in between.

        The log of a registrar without audit file begins a new chain at each start, and may
        begin in the middle of one; a file never does.
        """
        found = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
        strict = not found or found[0][1][:1] == b"{"
        before = self.lines
        for number, line in found if strict else _of_log(found):
            self._line(f"{name}:{number}", line, strict)
        if self.lines == before:
            self.faults.append(Fault(name, "there is no line of an audit log in it"))

    def end(self) -> None:
        """There are no more files: whether the line that was kept was among them."""
        if self.kept is None or self._seen:
            return
        seq = 0 if self.head is None else self.head.seq
        if self._other:
            words = f"line {self.kept.seq} isn't the one that was written"
            self.faults.append(Fault(self._other, words))
        elif seq < self.kept.seq:
            words = f"the chain ends at line {seq}, but there was a line {self.kept.seq}"
            self.faults.append(Fault("the end", f"{words}: its end was cut off"))
        else:
            words = f"line {self.kept.seq} isn't here: give the older files, too"
            self.faults.append(Fault("the beginning", words))

    def _line(self, where: str, line: bytes, strict: bool) -> None:
        split = _split(line)
        if split is None:
            self.faults.append(Fault(where, "this is no line of an audit log, or is cut short"))
            return
        self.lines += 1
        body, found = split
        self._compare(where, found, _continues(body))
        before = self._before(where, body, found, strict)
        if before is not None and found.seq != before.seq + 1:
            self.faults.append(Fault(where, _gap(before.seq, found.seq)))
        elif before is not None and found.chain != _bound(before.chain, body):
            words = f"line {found.seq} was changed, or the one before it"
            self.faults.append(Fault(where, words))
        # Go on from what stands there, so that each break is told once.
        self.head = found

    def _compare(self, where: str, *found: Head | None) -> None:
        """Look for the line that was kept elsewhere: see Note [Chain]."""
        for head in found:
            if self.kept is None or head is None or head.seq != self.kept.seq:
                continue
            self._seen = self._seen or head == self.kept
            self._other = where

    def _before(self, where: str, body: bytes, found: Head, strict: bool) -> Head | None:
        """What a line must go on with; None: nobody can tell."""
        continues = _continues(body)
        if self.head is None and found.seq > 1:
            self.notes.append(f"{where}: begins at line {found.seq}; the rest isn't here")
            if continues is None and strict:
                self.faults.append(Fault(where, _gap(0, found.seq)))
            return continues
        if self.head is None:
            return Head()
        if continues == Head() and not strict:
            self.notes.append(f"{where}: a new chain begins")
            return continues
        return self.head


def _bound(before: str, body: bytes) -> str:
    return sha256(before.encode() + body).hexdigest()


def _split(line: bytes) -> tuple[bytes, Head] | None:
    """What is bound, and its number and chain; None: it isn't a line of a chain."""
    found = _SEAL.search(line)
    if found is None:
        return None
    body = line[: found.start(2) - len(b', "chain": "')]
    return body, Head(int(found[1]), found[2].decode())


def _continues(body: bytes) -> Head | None:
    """What the first line of a file says that it goes on with."""
    if b'"continues": ' not in body:
        return None
    try:
        return Head.parse(json.loads(body + b"}")[CONTINUES])
    except (ValueError, KeyError, TypeError):
        return None


def _gap(before: int, seq: int) -> str:
    if seq <= before + 1:
        return f"line {seq} stands after line {before}"
    count = seq - before - 1
    return f"{count} {'line' if count == 1 else 'lines'} before line {seq} were taken out"


def _of_log(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The audit lines of a daemon's log, without what stands in front of each."""
    for number, line in lines:
        front, brace, rest = line.partition(b'{"')
        if brace and b"[rserpool.audit#" in front:
            yield number, brace + rest
