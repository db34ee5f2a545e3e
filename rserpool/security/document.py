"""
The text of a TOML file, and on which line what stands in it.

tomllib gives values without places.  A fault is found faster by its line, so the text is
walked a second time, for keys alone; it is TOML for sure by then.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

#: Where something stands: tables, key, and the number of an entry in a list.
Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'''
    """(?:\\.|[^\\])*?"{3,5} | \'\'\'.*?\'{3,5}     # texts over several lines
    | "(?:\\.|[^"\\])*" | '[^']*'                   # texts
    | \#[^\n]*                                      # comments
    | [\[\]{}=,\n]                                  # what parts the rest
    | [^\s\[\]{}=,"'#]+                             # bare keys and values
    ''',
    re.DOTALL | re.VERBOSE,
)


class Document:
    """
    A TOML file.

    :ivar values: what tomllib makes of it.
    :raise ValueError: it isn't TOML; the message begins with file and line.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        try:
            text = content.decode("utf-8")
            self.values: Mapping[str, Any] = tomllib.loads(text)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise ValueError(f"{name}:{line}: isn't UTF-8 text") from None
        except tomllib.TOMLDecodeError as error:
            raise ValueError(_with_line(name, str(error))) from None
        self._lines = lines(text)

    def place(self, *path: str | int) -> str:
        """``file:line`` of what is there, or else of what holds it."""
        return f"{self.name}:{self.line(*path)}"

    def line(self, *path: str | int) -> int:
        """On which line it is, or else what holds it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines[path] if path else 1


def lines(text: str) -> dict[Path, int]:
    """On which line each table, key and entry of a list begins; `text` must be TOML."""
    return _Walk(text).found


def _with_line(name: str, words: str) -> str:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", words, re.DOTALL)
    return f"{name}:{found[2]}: {found[1]} (column {found[3]})" if found else f"{name}: {words}"


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for found in _TOKEN.finditer(text):
        if found[0][0] != "#":
            yield found[0], line
        line += found[0].count("\n")
    yield "\n", line


class _Walk:
    """Goes through a text once and remembers where everything began."""

    def __init__(self, text: str) -> None:
        self.found: dict[Path, int] = {}
        self._tokens = list(_tokens(text))
        self._at = 0
        table: Path = ()
        while self._at < len(self._tokens):
            if self._next == "\n":
                self._take()
            elif self._next == "[":
                table = self._header()
            else:
                self._pair(table)

    @property
    def _next(self) -> str:
        return self._tokens[self._at][0]

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][0]

    def _note(self, path: Path, line: int) -> None:
        for end in range(1, len(path) + 1):
            self.found.setdefault(path[:end], line)

    def _header(self) -> Path:
        line = self._tokens[self._at][1]
        while self._next == "[":
            self._take()
        path = self._key("]")
        while self._next == "]":
            self._take()
        self._note(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._tokens[self._at][1]
        path = table + self._key("=")
        self._take()
        self._note(path, line)
        self._value(path)

    def _key(self, end: str) -> Path:
        parts: list[str] = []
        while self._next != end:
            part = self._take()
            if part[0] in "\"'":
                parts.append(tomllib.loads(f"key = {part}")["key"])
            else:
                parts += [bare for bare in part.split(".") if bare]
        return tuple(parts)

    def _value(self, path: Path) -> None:
        opening = self._take()
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline(path)
        else:  # a date and a time are two tokens
            while self._next not in ",]}\n":
                self._take()

    def _list(self, path: Path) -> None:
        entry = 0
        while self._next != "]":
            if self._next == ",":
                entry += 1
            if self._next in ",\n":
                self._take()
            else:
                self._note((*path, entry), self._tokens[self._at][1])
                self._value((*path, entry))
        self._take()

    def _inline(self, path: Path) -> None:
        while self._next != "}":
            if self._next in ",\n":
                self._take()
            else:
                self._pair(path)
        self._take()
