"""Command lines for twistd, made from the declarations of the settings."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from textwrap import fill
from typing import Any

import attrs
from twisted.python import usage

from rserpool.service.settings import ConfigError, Override, key_of, parse_set


class SettingsOptions(usage.Options):
    """
    Options that end in a configuration, or in all that is wrong with it.

    :cvar load: reads a file and the overrides.
    :cvar tables: the class of each table by its name.
    """

    load: Callable[[str | None, list[Override]], Any]
    tables: Mapping[str, type]
    about: str

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.overrides: list[Override] = []
        self._faults: list[str] = []
        self["config"] = None
        self.configuration: Any = None

    def opt_config(self, path: str) -> None:
        """Read settings from this TOML file; the command line wins. [FILE]"""
        self["config"] = path

    def opt_set(self, text: str) -> None:
        """Set any setting of the file. [TABLE.KEY=VALUE]"""
        try:
            self.overrides.append(parse_set(text))
        except ValueError as error:
            self._faults.append(str(error))

    def opt_version(self) -> None:
        """Tell the version, and end."""
        print(f"rserpool {release()}")
        sys.exit(0)

    def getUsage(self, width: int | None = None) -> str:  # noqa: N802 - Twisted calls it
        """Explain every option, by what it is about, and the settings that have none."""
        wide = width or 80
        return "\n".join(["", fill(type(self).about, wide), "", *_explained(self.tables, wide)])

    def parseOptions(self, options: Any = None) -> None:  # noqa: N802 - Twisted calls it
        """Parse the words; one that isn't known is told without the whole help above it."""
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            # twistd would print the help, and the mistake where nobody looks for it.
            raise SystemExit(f"{error}; --help tells which options there are") from None

    def parseArgs(self, *words: str) -> None:  # noqa: N802 - Twisted calls it
        """Refuse what stands beside the options."""
        if words:
            raise usage.UsageError(f"{words[0]!r} isn't an option, and nothing else is taken")

    def postOptions(self) -> None:  # noqa: N802 - Twisted calls it
        """Read everything; every fault is reported at once."""
        try:
            self.configuration = type(self).load(self["config"], self.overrides)
        except ConfigError as error:
            self._faults += error.faults
        if self._faults:
            count = len(self._faults)
            head = "one fault" if count == 1 else f"{count} faults"
            # Not a UsageError: the whole help above them would hide the faults.
            raise SystemExit(
                "\n".join([f"{head} in the configuration; nothing was started:", *self._faults])
            )


def options(
    name: str, tables: Mapping[str, type], load: Callable[..., Any], about: str
) -> type[SettingsOptions]:
    """Make the options class of a service; `about` opens its help."""
    members: dict[str, Any] = {
        "__doc__": about,
        "load": staticmethod(load),
        "tables": tables,
        "about": about,
        "synopsis": "[options]",
    }
    for table, cls in tables.items():
        for field in attrs.fields(cls):
            if field.metadata["option"]:
                members[f"opt_{field.name}"] = _option(table, field)
    return type(name, (SettingsOptions,), members)


def _option(table: str, field: Any) -> Callable[[SettingsOptions, str], None]:
    def take(self: SettingsOptions, value: str) -> None:
        self.overrides.append(Override(table, key_of(field.name), value))

    again = "; may be repeated" if field.metadata["many"] else ""
    take.__doc__ = f"{field.metadata['help']}{again}. [{field.metadata['option']}]"
    return take


def release() -> str:
    """The version of this program."""
    try:
        return version("rserpool")
    except PackageNotFoundError:  # run from its source tree
        return "unknown"


#: The options that every service has, with what they say.
_COMMON = (
    ("--config FILE", "read settings from this TOML file; the command line wins"),
    ("--set TABLE.KEY=VALUE", "set any setting of the file; may be repeated"),
    ("--help, --version", "tell this, or the version"),
)


def _explained(tables: Mapping[str, type], width: int) -> Iterator[str]:
    """The lines of the help that are about options and settings."""
    groups: dict[str, list[tuple[str, str]]] = {"Options": list(_COMMON)}
    for table, cls in tables.items():
        for field in attrs.fields(cls):
            about = field.metadata
            again = "; may be repeated" if about["many"] else ""
            if about["option"]:
                name = f"--{key_of(field.name)} {about['option']}"
                groups.setdefault(about["group"] or "Options", []).append(
                    (name, about["help"] + again)
                )
            else:
                groups.setdefault(f"In the file, or by --set: [{table}]", []).append(
                    (f"{key_of(field.name)} = {_in_toml(field.default)}", about["help"] + again)
                )
    for group, entries in groups.items():
        yield f"{group}:"
        for name, words in entries:
            yield f"  {name}"
            yield fill(words, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
        yield ""


def _in_toml(value: object) -> str:
    """A default as the file has it; what has none is shown as a text to be given."""
    if value is None:
        return '"..."'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
