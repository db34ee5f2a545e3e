"""Command lines for twistd, made from the declarations of the settings."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.python import usage

from rserpool.service.settings import ConfigError, Override, key_of, parse_set


class SettingsOptions(usage.Options):
    """
    Options that end in a configuration, or in all that is wrong with it.

    :cvar load: reads a file and the overrides.
    """

    load: Callable[[str | None, list[Override]], Any]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.overrides: list[Override] = []
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
            raise usage.UsageError(str(error)) from None

    def postOptions(self) -> None:  # noqa: N802 - Twisted calls it
        """Read everything; every fault is reported at once."""
        try:
            self.configuration = type(self).load(self["config"], self.overrides)
        except ConfigError as error:
            count = len(error.faults)
            head = "one fault" if count == 1 else f"{count} faults"
            # Not a UsageError: the whole help above them would hide the faults.
            raise SystemExit(
                "\n".join([f"{head} in the configuration; nothing was started:", *error.faults])
            ) from None


def options(
    name: str, tables: Mapping[str, type], load: Callable[..., Any], about: str
) -> type[SettingsOptions]:
    """Make the options class of a service; `about` closes its help."""
    members: dict[str, Any] = {
        "__doc__": about,
        "load": staticmethod(load),
        "longdesc": about,
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
