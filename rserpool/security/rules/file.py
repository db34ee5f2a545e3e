"""Reading a rules file: TOML to a policy, all faults at once with their lines."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rserpool.security.rules.policy import Gate, Policy, Rules, User
from rserpool.security.rules.rule import Rule

T = TypeVar("T")
#: Roles that everybody holds by the kind of proof.
IMPLICIT = frozenset({"all", "psk", "certificate", "anonymous"})


class RulesError(ValueError):
    """A rules file can't be used; `faults` are all that is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(path: str) -> Policy:
    """
    Read a rules file.

    :raise RulesError: all that is wrong with it; OSError if it can't be read.
    """
    return parse(Path(path).read_text(encoding="utf-8"), path)


def parse(text: str, name: str) -> Policy:
    """Read the text of a rules file; `name` is for messages."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError([f"{name}: {error}"]) from None
    reader = _Reader(text, name)
    policy = reader.policy(document)
    if reader.faults:
        raise RulesError(reader.faults)
    return policy


class _Reader:
    """Collects faults, so that one run finds them all."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.splitlines()
        self._name = name
        self.faults: list[str] = []

    def policy(self, document: Mapping[str, Any]) -> Policy:
        self._known(document, {"users", "roles", "gates"}, "the file")
        self._roles = IMPLICIT | set(self._table(document, "roles"))
        pools: dict[bytes, Gate] = {}
        peers: dict[str, Gate] = {}
        for name, value in self._table(document, "gates").items():
            gate = self._gate(name, value)
            kind, _, rest = name.partition(":")
            if kind == "pool" and rest:
                pools[rest.encode()] = gate
            elif kind == "pool-hex" and re.fullmatch(r"([0-9a-fA-F]{2})+", rest):
                pools[bytes.fromhex(rest)] = gate
            elif kind == "peer" and rest:
                peers[rest] = gate
            else:
                self._fault(name, f"gate {name!r} isn't pool:HANDLE, pool-hex:HEX or peer:NAME")
        return Policy(
            users=self._each(document, "users", self._user),
            roles=self._each(document, "roles", self._role),
            pools=pools,
            peers=peers,
        )

    def _user(self, name: str, value: Mapping[str, Any]) -> User:
        place = f"users.{name}"
        self._known(value, {"rules", "roles", "admin", "locked"}, place)
        roles = self._strings(value.get("roles", []), f"{place}.roles")
        for role in roles:
            if role not in self._roles:
                self._fault(role, f"{place}: there is no role {role!r}")
        for key in ("admin", "locked"):
            if not isinstance(value.get(key, False), bool):
                self._fault(key, f"{place}.{key} must be true or false")
        return User(
            rules=self._rules(value.get("rules", []), place),
            roles=tuple(roles),
            admin=value.get("admin") is True,
            locked=value.get("locked") is True,
        )

    def _role(self, name: str, value: Mapping[str, Any]) -> Rules:
        self._known(value, {"rules"}, f"roles.{name}")
        return self._rules(value.get("rules", []), f"roles.{name}")

    def _gate(self, name: str, value: Any) -> Gate:
        place = f"gates.{name!r}"
        if not isinstance(value, Mapping):
            self._fault(name, f"{place} must be a table")
            return Gate()
        self._known(value, {"users", "roles"}, place)
        for role in self._table(value, "roles"):
            if role not in self._roles:
                self._fault(role, f"{place}: there is no role {role!r}")
        return Gate(
            users=self._each(value, "users", lambda n, v: self._gate_rules(n, v, place)),
            roles=self._each(value, "roles", lambda n, v: self._gate_rules(n, v, place)),
        )

    def _gate_rules(self, name: str, value: Mapping[str, Any], place: str) -> Rules:
        self._known(value, {"rules"}, f"{place}.{name}")
        return self._rules(value.get("rules", []), f"{place}.{name}")

    def _rules(self, value: object, place: str) -> Rules:
        rules: list[Rule] = []
        for text in self._strings(value, f"{place}.rules"):
            try:
                rule = Rule.parse(text)
            except ValueError as error:
                self._fault(text, f"{place}: {error}")
                continue
            earlier = next((r for r in rules if r.covers(rule)), None)
            if earlier is not None:
                self._fault(text, f"{place}: {text!r} is never reached: {str(earlier)!r} wins")
            rules.append(rule)
        return tuple(rules)

    def _strings(self, value: object, place: str) -> list[str]:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        self._fault(place.rsplit(".", 1)[-1], f"{place} must be a list of strings")
        return []

    def _each(
        self, table: Mapping[str, Any], key: str, make: Callable[[str, Mapping[str, Any]], T]
    ) -> dict[str, T]:
        made = {}
        for name, value in self._table(table, key).items():
            if isinstance(value, Mapping):
                made[name] = make(name, value)
            else:
                self._fault(name, f"{key}.{name} must be a table")
        return made

    def _table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = table.get(key, {})
        if isinstance(value, Mapping):
            return value
        self._fault(key, f"{key} must be a table")
        return {}

    def _known(self, table: Mapping[str, Any], keys: set[str], place: str) -> None:
        for key in table:
            if key not in keys:
                wanted = ", ".join(sorted(keys))
                self._fault(key, f"{place} has no {key!r} (only {wanted})")

    def _fault(self, word: str, text: str) -> None:
        """Add a fault, with the first line on which its word stands."""
        number = next((n for n, line in enumerate(self._lines, 1) if word in line), 1)
        self.faults.append(f"{self._name}:{number}: {text}")
