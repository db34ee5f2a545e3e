"""
Settings, declared once: TOML tables and command lines are read by the same declaration.

A table is a frozen class whose fields say how a value is read and what it means.  Reading
finds every fault before it gives up, each with file, line and key.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from rserpool.security.document import Document

#: Makes the value of a setting from what stands in TOML or on the command line.
Kind = Callable[[object], Any]


class ConfigError(ValueError):
    """A configuration can't be used; `faults` are all that is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def setting(
    kind: Kind,
    help: str,  # noqa: A002 - as argparse and usage call it
    *,
    default: Any,
    many: bool = False,
    option: str = "",
    group: str = "",
    rsplib: Any = None,
) -> Any:
    """
    Declare one setting.

    :param many: it is a list in TOML, and may be repeated on the command line.
    :param option: the word for its value on the command line; empty: it has no option.
    :param group: under which heading the help shows it.
    :param rsplib: its default where the profile is rsplib; None: the same.
    """
    return attrs.field(
        default=default,
        metadata={
            "kind": kind, "help": help, "many": many, "option": option, "group": group,
            "rsplib": rsplib,
        },
    )  # fmt: skip


def key_of(field: str) -> str:
    """The key of a field: ``server-id`` of ``server_id``."""
    return field.replace("_", "-")


def text(value: object) -> str:
    """A text that isn't empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text that isn't empty")
    return value


#: More than any count can be.
_ANY = 2**63


def whole(least: int = 0, most: int = _ANY) -> Kind:
    """A whole number within bounds; on the command line decimal or 0x."""

    def read(value: object) -> int:
        if isinstance(value, str):
            try:
                value = int(value, 0)
            except ValueError:
                value = None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            upper = f" to {most}" if most < _ANY else ""
            raise ValueError(f"must be a whole number from {least}{upper}")
        return value

    return read


def number(least: float = 0.0, most: float = 1e9) -> Kind:
    """A number within bounds."""

    def read(value: object) -> float:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                value = None
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        # Compared as it is: a whole number may be too large for float().
        if not good or not least <= value <= most:  # type: ignore[operator]
            raise ValueError(f"must be a number from {least:g} to {most:g}")
        return float(value)  # type: ignore[arg-type]

    return read


def boolean(value: object) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("must be true or false")


def choice(*words: str) -> Kind:
    """One of these words."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"must be {' or '.join(words)}")
        return value

    return read


@attrs.frozen
class Override:
    """A value from the command line."""

    table: str
    key: str
    value: str


def parse_set(text: str) -> Override:
    """
    Read ``TABLE.KEY=VALUE``.

    :raise ValueError: it isn't.
    """
    name, equals, value = text.partition("=")
    table, dot, key = name.strip().partition(".")
    if not (equals and dot and table and key):
        raise ValueError(f"--set {text!r}: write --set TABLE.KEY=VALUE")
    return Override(table, key, value.strip())


class Reader:
    """
    Reads tables and collects what is wrong.

    :param tables: the class of each table by its name.
    """

    def __init__(self, tables: Mapping[str, type]) -> None:
        self._tables = tables
        self._document: Document | None = None
        self._overridden: set[tuple[str, str]] = set()
        self._listed: set[tuple[str, str]] = set()
        self._faulty: set[tuple[str, str]] = set()
        self._lost: set[str] = set()
        #: Table and key of all that was given, by file or command line.
        self.given: set[tuple[str, str]] = set()
        self.faults: list[str] = []

    def read(self, path: str | None, overrides: Iterable[Override]) -> dict[str, Any]:
        """
        Read a file, if there is one, and what the command line says instead.

        :return: an object of its class for each table; the defaults where all failed.
        """
        raw: dict[str, dict[str, object]] = {name: {} for name in self._tables}
        if path is not None:
            self._open(path, raw)
        for override in overrides:
            self._override(override, raw)
        return {name: self._made(name, raw[name]) for name in self._tables}

    def fault(self, table: str, key: str, words: str, *entry: int) -> None:
        """
        Add a fault of a setting.

        :param entry: which one it is of the file's list.
        """
        self._faulty.add((table, key))
        if self._document is None or (table, key) in self._overridden:
            place = f"--{key}" if self._has_option(table, key) else f"--set {table}.{key}"
        else:
            place = f"{self._document.place(table, key, *entry)}: {table}.{key}"
        self.faults.append(f"{place}: {words}")

    def place(self, table: str, key: str, *entry: int) -> str:
        """Where a setting stands, ``file:line``; the option where the command line has it."""
        if self._document is None or (table, key) in self._overridden:
            return f"--{key}" if self._has_option(table, key) else f"--set {table}.{key}"
        return self._document.place(table, key, *entry)

    def at_fault(self, table: str, *keys: str) -> bool:
        """
        Whether something was said of one of these already, or of the whole table.

        What is missing for that reason isn't missing: it was given, but is no good.
        """
        return table in self._lost or any((table, key) in self._faulty for key in keys)

    def check(self) -> None:
        """
        Give up if anything is wrong.

        :raise ConfigError: all that is.
        """
        if self.faults:
            raise ConfigError(self.faults)

    def _open(self, path: str, raw: dict[str, dict[str, object]]) -> None:
        try:
            self._document = Document(path, Path(path).read_bytes())
        except OSError as error:
            self._lost.update(self._tables)
            self.faults.append(f"{path}: can't be read: {error.strerror}")
        except ValueError as error:
            self._lost.update(self._tables)
            self.faults.append(str(error))
        else:
            for table, values in self._document.values.items():
                self._table(table, values, raw)

    def _table(self, table: str, values: object, raw: dict[str, dict[str, object]]) -> None:
        assert self._document is not None
        if table not in self._tables or not isinstance(values, dict):
            words = f"{table} must be one table, [{table}]"
            if table not in self._tables:
                known = ", ".join(f"[{name}]" for name in self._tables)
                words = f"there is no table [{table}]; there are {known}"
            self.faults.append(f"{self._document.place(table)}: {words}")
            self._lost.update(difflib.get_close_matches(table, self._tables, 1))
            return
        for key, value in values.items():
            if self._known(table, key):
                raw[table][key] = value

    def _override(self, override: Override, raw: dict[str, dict[str, object]]) -> None:
        table, key = override.table, override.key
        if table not in self._tables:
            self.faults.append(f"--set {table}.{key}: there is no table [{table}]")
            return
        self._overridden.add((table, key))
        if not self._known(table, key):
            return
        if self._field(table, key).metadata["many"]:
            # The command line's list takes the place of the file's.
            if (table, key) not in self._listed:
                raw[table][key] = []
                self._listed.add((table, key))
            values = raw[table][key]
            assert isinstance(values, list)
            values.append(override.value)
        else:
            raw[table][key] = override.value

    def _known(self, table: str, key: str) -> bool:
        keys = [key_of(field.name) for field in attrs.fields(self._tables[table])]
        if key in keys:
            return True
        close = difflib.get_close_matches(key, keys, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        self._faulty.update((table, near) for near in close)
        self.fault(table, key, f"there is no such setting{hint}")
        return False

    def _field(self, table: str, key: str) -> Any:
        return getattr(attrs.fields(self._tables[table]), key.replace("-", "_"))

    def _has_option(self, table: str, key: str) -> bool:
        name = key.replace("-", "_")
        field = getattr(attrs.fields(self._tables[table]), name, None)
        return field is not None and bool(field.metadata["option"])

    def _made(self, table: str, raw: Mapping[str, object]) -> Any:
        values: dict[str, Any] = {}
        for key, value in raw.items():
            self.given.add((table, key))
            metadata = self._field(table, key).metadata
            try:
                if metadata["many"]:
                    values[key.replace("-", "_")] = self._each(table, key, value)
                else:
                    values[key.replace("-", "_")] = metadata["kind"](value)
            except ValueError as error:
                self.fault(table, key, str(error))
        return self._tables[table](**values)

    def _each(self, table: str, key: str, value: object) -> tuple[Any, ...]:
        """A list of values; one alone may stand without brackets."""
        kind = self._field(table, key).metadata["kind"]
        values: list[Any] = []
        for entry, one in enumerate(value if isinstance(value, list) else [value]):
            try:
                values.append(kind(one))
            except ValueError as error:
                self.fault(table, key, str(error), entry)
        return tuple(values)
