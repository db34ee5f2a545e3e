"""Reading a rules file: TOML to a policy, all faults at once with their lines."""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rserpool.security.decisions import OF_PEERS, OF_POOLS, PERMISSIONS
from rserpool.security.document import Document
from rserpool.security.document import Path as Place
from rserpool.security.interfaces import Key
from rserpool.security.rules.policy import NAMELESS, Gate, Policy, Rules, User
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
    return _parse(Path(path).read_bytes(), path)


def parse(text: str, name: str) -> Policy:
    """Read the text of a rules file; `name` is for messages."""
    return _parse(text.encode(), name)


def _parse(content: bytes, name: str) -> Policy:
    try:
        document = Document(name, content)
    except ValueError as error:
        raise RulesError([str(error)]) from None
    reader = _Reader(document)
    policy = reader.policy()
    if reader.faults:
        raise RulesError([words for _, words in sorted(reader.faults, key=lambda one: one[0])])
    return policy


class _Reader:
    """
    Collects faults, so that one run finds them all.

    :ivar faults: on which line, and what.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.faults: list[tuple[int, str]] = []

    def policy(self) -> Policy:
        values = self._document.values
        self._known(values, {"users", "roles", "gates"})
        self._roles = IMPLICIT | set(self._table(values, "roles"))
        pools: dict[bytes, Gate] = {}
        peers: dict[str, Gate] = {}
        for name, value in self._table(values, "gates").items():
            gate = self._gate(name, value)
            kind, _, rest = name.partition(":")
            if kind == "pool" and rest:
                self._once(pools, rest.encode(), gate, name)
            elif kind == "pool-hex" and re.fullmatch(r"([0-9a-fA-F]{2})+", rest):
                self._once(pools, bytes.fromhex(rest), gate, name)
            elif kind == "peer" and rest:
                peers[rest] = gate
            else:
                words = f"gate {name!r} isn't pool:HANDLE, pool-hex:HEX or peer:NAME"
                self._fault(words, "gates", name)
        return Policy(
            users=self._each(values, self._user, "users"),
            roles=self._each(values, self._rules_alone, "roles"),
            pools=pools,
            peers=peers,
        )

    def _once(self, pools: dict[bytes, Gate], handle: bytes, gate: Gate, name: str) -> None:
        if handle in pools:
            self._fault(f"gate {name!r}: the same pool has another gate", "gates", name)
        pools[handle] = gate

    def _user(self, value: Mapping[str, Any], *place: str) -> User:
        self._known(value, {"rules", "roles", "admin", "locked"}, *place)
        self._principal(*place)
        if place[-1] == NAMELESS and "roles" in value:
            words = f"who has proven nothing has the role {NAMELESS!r} alone"
            self._fault(f"{_shown(place)}.roles: {words}", *place, "roles")
        roles = self._strings(value.get("roles", []), *place, "roles")
        for entry, role in enumerate(roles):
            self._role_exists(role, *place, "roles", entry)
        for key in ("admin", "locked"):
            if not isinstance(value.get(key, False), bool):
                self._fault(f"{_shown(place)}.{key} must be true or false", *place, key)
        return User(
            rules=self._rules(value.get("rules", []), *place, "rules"),
            roles=tuple(roles),
            admin=value.get("admin") is True,
            locked=value.get("locked") is True,
        )

    def _rules_alone(self, value: Mapping[str, Any], *place: str) -> Rules:
        self._known(value, {"rules"}, *place)
        return self._rules(value.get("rules", []), *place, "rules")

    def _gate(self, name: str, value: Any) -> Gate:
        if not isinstance(value, Mapping):
            self._fault(f"gates.{name!r} must be a table", "gates", name)
            return Gate()
        self._known(value, {"users", "roles"}, "gates", name)
        for user in self._table(value, "gates", name, "users"):
            self._principal("gates", name, "users", user)
        for role in self._table(value, "gates", name, "roles"):
            self._role_exists(role, "gates", name, "roles", role)
        return Gate(
            users=self._each(value, self._rules_alone, "gates", name, "users"),
            roles=self._each(value, self._rules_alone, "gates", name, "roles"),
        )

    def _principal(self, *place: str) -> None:
        """Refuse a name that no principal ever has: what is said of it would be in vain."""
        name = place[-1]
        principal = Key(name, b"").principal
        if principal != name and not name.startswith(("dns:", "uri:")):
            words = (
                f"{name!r} is a key's generation: write {principal!r}, which all of them are"
            )
            self._fault(f"{_shown(place)}: {words}", *place)
        if name.startswith("dns:") and name != name.lower():
            words = f"names of certificates are in lower case: write {name.lower()!r}"
            self._fault(f"{_shown(place)}: {words}", *place)

    def _role_exists(self, role: str, *place: str | int) -> None:
        if role in self._roles:
            return
        close = difflib.get_close_matches(role, self._roles, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        self._fault(f"{_shown(place[:-1])}: there is no role {role!r}{hint}", *place)

    def _rules(self, value: object, *place: str) -> Rules:
        rules: list[Rule] = []
        for entry, text in enumerate(self._strings(value, *place)):
            try:
                rule = Rule.parse(text)
            except ValueError as error:
                self._fault(f"{_shown(place)}: {error}", *place, entry)
                continue
            words = _unreachable(rule, rules, place)
            if words:
                self._fault(f"{_shown(place)}: {text!r} {words}", *place, entry)
            rules.append(rule)
        return tuple(rules)

    def _strings(self, value: object, *place: str) -> list[str]:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        self._fault(f"{_shown(place)} must be a list of strings", *place)
        return []

    def _each(
        self, table: Mapping[str, Any], make: Callable[..., T], *place: str
    ) -> dict[str, T]:
        made = {}
        for name, value in self._table(table, *place).items():
            if isinstance(value, Mapping):
                made[name] = make(value, *place, name)
            else:
                self._fault(f"{_shown((*place, name))} must be a table", *place, name)
        return made

    def _table(self, table: Mapping[str, Any], *place: str) -> Mapping[str, Any]:
        value = table.get(place[-1], {})
        if isinstance(value, Mapping):
            return value
        self._fault(f"{_shown(place)} must be a table", *place)
        return {}

    def _known(self, table: Mapping[str, Any], keys: set[str], *place: str) -> None:
        for key in table:
            if key not in keys:
                wanted = ", ".join(sorted(keys))
                where = _shown(place) or "the file"
                self._fault(f"{where} has no {key!r} (only {wanted})", *place, key)

    def _fault(self, words: str, *place: str | int) -> None:
        line = self._document.line(*place)
        found = line, f"{self._document.name}:{line}: {words}"
        if found not in self.faults:
            self.faults.append(found)


def _unreachable(rule: Rule, before: list[Rule], place: tuple[str, ...]) -> str:
    """Why a rule never decides anything, after those before it in a list of that place."""
    earlier = next((one for one in before if one.covers(rule)), None)
    if earlier is not None:
        return f"is never reached: {str(earlier)!r} wins"
    matched = rule.among(PERMISSIONS)
    if not matched:
        return ""  # admin
    if matched <= frozenset().union(*(one.among(PERMISSIONS) for one in before)):
        return "is never reached: those before it are all that there is of it"
    if place[0] == "gates":
        pool = place[1].startswith("pool")
        if not matched & (OF_POOLS if pool else OF_PEERS):
            return f"is never asked of a {'pool' if pool else 'registrar'}"
    return ""


def _shown(place: Place) -> str:
    """A place as it stands in TOML: ``gates."pool:web".roles.own``."""
    return ".".join(
        str(part) if re.fullmatch(r"[A-Za-z0-9_-]+", str(part)) else f'"{part}"'
        for part in place
    )
