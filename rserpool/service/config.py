"""
The registrar's configuration: its tables, and what in them contradicts.

Every key is a command-line option of the same name where design says so; the command line
wins.  ``etc/registrar.toml`` shows them all.
"""

import random
from collections.abc import Iterable
from typing import Any

import attrs

from rserpool.handlespace.handlespace import Limits as HandlespaceLimits
from rserpool.registrar.settings import Settings
from rserpool.security.budgets import Rate, Rates
from rserpool.service.kinds import endpoint, file, local_endpoint, provider
from rserpool.service.settings import (
    Override,
    Reader,
    boolean,
    choice,
    number,
    setting,
    text,
    whole,
)
from rserpool.transport.allowance import ConnectionLimits
from rserpool.transport.listener import Patience

_DATABASE = "What it is"
_LISTENING = "Where it listens"
_PROOF = "Who proves what to whom"
_PEERS = "Other registrars (not in this version, which runs one alone)"


@attrs.frozen(kw_only=True)
class RegistrarTable:
    """``[registrar]``: who it is, where it listens, whom it believes."""

    security: str = setting(
        choice("required", "none"), default="required", option="required|none", group=_DATABASE,
        help="whether the database is all secure (the default) or all insecure",
    )  # fmt: skip
    server_id: int | None = setting(
        whole(1, 0xFFFFFFFF), default=None, option="N", group=_DATABASE,
        help="this registrar's identifier, decimal or 0x; random if not given",
    )  # fmt: skip
    asap: tuple[str, ...] = setting(
        endpoint, default=(), many=True, option="ENDPOINT", group=_LISTENING,
        help="listen for pool elements and users without TLS, like tcp:3863",
    )  # fmt: skip
    asap_tls: tuple[str, ...] = setting(
        endpoint, default=(), many=True, option="ENDPOINT", group=_LISTENING,
        help="listen for pool elements and users with TLS, like tcp:3864",
    )  # fmt: skip
    certificate: str | None = setting(
        file, default=None, option="FILE", group=_PROOF,
        help="the certificate that pool users check (PEM, with its chain)",
    )  # fmt: skip
    private_key: str | None = setting(
        file, default=None, option="FILE", group=_PROOF,
        help="the private key of the certificate (PEM)",
    )  # fmt: skip
    auth: tuple[str, ...] = setting(
        provider, default=(), many=True, option="KIND:ARGS", group=_PROOF,
        help="how pool elements prove who they are: psk:FILE, certificate:CA-FILE, or a "
        "plugin's",
    )  # fmt: skip
    tls_minimum: str = setting(
        choice("1.3", "1.2"), default="1.3", option="1.3|1.2", group=_PROOF,
        help="the oldest version of TLS",
    )  # fmt: skip
    legacy_suites: bool = setting(
        boolean, default=False,
        help="with tls-minimum 1.2: offer the CBC suites of RFC 5352 section 9.2",
    )  # fmt: skip
    plain_resolution: bool = setting(
        boolean, default=False,
        help="answer resolutions on plain listeners of a secure registrar",
    )  # fmt: skip
    rules: str | None = setting(
        file, default=None, option="FILE", group=_DATABASE,
        help="who may do what (TOML); see etc/rules.toml",
    )  # fmt: skip
    authorizer: str | None = setting(
        provider, default=None, help="instead of rules: a plugin, KIND:ARGS"
    )
    status: str | None = setting(
        local_endpoint, default=None, option="ENDPOINT", group=_LISTENING,
        help="serve status page, /status.json and /metrics over HTTP, like tcp:8080; on "
        "loopback only unless interface= says otherwise",
    )  # fmt: skip
    enrp: tuple[str, ...] = setting(
        text, default=(), many=True, option="ENDPOINT", group=_PEERS,
        help="listen for other registrars without TLS",
    )  # fmt: skip
    enrp_tls: tuple[str, ...] = setting(
        text, default=(), many=True, option="ENDPOINT", group=_PEERS,
        help="listen for other registrars with TLS, like tcp:9902",
    )  # fmt: skip
    peer: tuple[str, ...] = setting(
        text, default=(), many=True, option="[NAME=]ENDPOINT", group=_PEERS,
        help="another registrar of this scope, like tcp:HOST:9902",
    )  # fmt: skip
    identity: str | None = setting(
        text, default=None, option="NAME", group=_PEERS,
        help="the name this registrar proves to its peers",
    )  # fmt: skip
    enrp_auth: tuple[str, ...] = setting(
        text, default=(), many=True, option="KIND:ARGS", group=_PEERS,
        help="how other registrars prove who they are",
    )  # fmt: skip


_SECONDS = number(0.01, 1e7)


@attrs.frozen(kw_only=True)
class TimersTable:
    """``[timers]``, in seconds."""

    keep_alive_interval: float = setting(
        _SECONDS, default=10.0, help="between two keep-alives to an element, plus/minus half"
    )
    keep_alive_timeout: float = setting(
        _SECONDS, default=5.0, help="until a silent or lost element is removed"
    )
    peer_heartbeat_cycle: float = setting(
        _SECONDS, default=30.0, help="between two signs of life to peers (RFC 5353 section 4.1)"
    )
    max_time_last_heard: float = setting(
        _SECONDS, default=61.0, help="until a silent peer is asked for one"
    )
    max_time_no_response: float = setting(
        _SECONDS, default=5.0, help="until a peer that was asked counts as dead"
    )
    server_announce: float = setting(
        _SECONDS, default=1.0, help="between two announcements (RFC 5352 section 7.1)"
    )


_RATE = number(0.0, 1e9)
_COUNT = whole()
_DEFAULT = Rates()
_CONNECTIONS = ConnectionLimits()
_PATIENCE = Patience()
_SPACE = HandlespaceLimits()
_CORE = Settings()


def _rate(what: str, default: float) -> Any:
    return setting(_RATE, default=default, help=what)


def _count(what: str, default: int) -> Any:
    return setting(_COUNT, default=default, help=what)


@attrs.frozen(kw_only=True)
class LimitsTable:
    """``[limits]``; 0 switches one off."""

    registrations_per_second: float = _rate(
        "of one principal", _DEFAULT.registrations.per_second
    )
    registrations_burst: float = _rate("at once", _DEFAULT.registrations.burst)
    resolutions_per_second: float = _rate(
        "of one principal or address", _DEFAULT.resolutions.per_second
    )
    resolutions_burst: float = _rate("at once", _DEFAULT.resolutions.burst)
    unreachables_per_second: float = _rate(
        "of one principal or address", _DEFAULT.unreachables.per_second
    )
    unreachables_burst: float = _rate("at once", _DEFAULT.unreachables.burst)
    handshake_failures_per_second: float = _rate(
        "from one address", _CONNECTIONS.handshake_failures.per_second
    )
    handshake_failures_burst: float = _rate("at once", _CONNECTIONS.handshake_failures.burst)
    keep_alives_per_second: float = _rate(
        "to one element, caused by reports", _CORE.keep_alives_per_second
    )
    keep_alives_burst: float = _rate("at once", _CORE.keep_alives_burst)
    handshake_timeout: float = _rate(
        "seconds that proving who it is may take", _PATIENCE.handshake
    )
    idle_timeout: float = _rate("seconds without a message", _PATIENCE.idle)
    connections: int = _count("in all", _CONNECTIONS.connections)
    connections_per_address: int = _count(
        "from one address", _CONNECTIONS.connections_per_address
    )
    pools: int = _count("in all", _SPACE.pools)
    elements_per_pool: int = _count("in one pool", _SPACE.elements_per_pool)
    elements_per_principal: int = _count("of one principal", _SPACE.elements_per_principal)
    handle_bytes: int = _count("octets of a pool handle", _SPACE.handle_bytes)
    max_bad_pe_reports: int = _count(
        "different reporters that remove an element", _CORE.max_bad_pe_reports
    )
    report_window: float = _rate("seconds for which reports count", _CORE.report_window)


TABLES: dict[str, type] = {
    "registrar": RegistrarTable,
    "timers": TimersTable,
    "limits": LimitsTable,
}


@attrs.frozen(kw_only=True)
class Config:
    """A configuration without contradictions."""

    registrar: RegistrarTable
    timers: TimersTable
    limits: LimitsTable

    @property
    def server_id(self) -> int:
        """The configured identifier, or a random one (RFC 5353 section 3.2.1)."""
        return self.registrar.server_id or random.SystemRandom().randint(1, 0xFFFFFFFF)

    @property
    def required(self) -> bool:
        """Whether the database is all secure."""
        return self.registrar.security == "required"

    @property
    def settings(self) -> Settings:
        """What the registrar's procedures go by."""
        return Settings(
            keep_alive_interval=self.timers.keep_alive_interval,
            keep_alive_timeout=self.timers.keep_alive_timeout,
            max_bad_pe_reports=self.limits.max_bad_pe_reports,
            report_window=self.limits.report_window,
            keep_alives_per_second=self.limits.keep_alives_per_second,
            keep_alives_burst=self.limits.keep_alives_burst,
        )

    @property
    def rates(self) -> Rates:
        """The budgets of one principal."""
        limits = self.limits
        return Rates(
            registrations=Rate(limits.registrations_per_second, limits.registrations_burst),
            resolutions=Rate(limits.resolutions_per_second, limits.resolutions_burst),
            unreachables=Rate(limits.unreachables_per_second, limits.unreachables_burst),
        )

    @property
    def handlespace_limits(self) -> HandlespaceLimits:
        """How large the handlespace may grow."""
        limits = self.limits
        return HandlespaceLimits(
            pools=limits.pools,
            elements_per_pool=limits.elements_per_pool,
            elements_per_principal=limits.elements_per_principal,
            handle_bytes=limits.handle_bytes,
        )

    @property
    def connection_limits(self) -> ConnectionLimits:
        """Who may connect."""
        limits = self.limits
        return ConnectionLimits(
            connections=limits.connections,
            connections_per_address=limits.connections_per_address,
            handshake_failures=Rate(
                limits.handshake_failures_per_second, limits.handshake_failures_burst
            ),
        )

    @property
    def patience(self) -> Patience:
        """How long peers may take."""
        return Patience(handshake=self.limits.handshake_timeout, idle=self.limits.idle_timeout)


def read(path: str | None, overrides: Iterable[Override]) -> tuple[Reader, Config]:
    """Read a configuration; the reader has what is wrong with it so far."""
    reader = Reader(TABLES)
    config = Config(**reader.read(path, overrides))
    for key, words in _contradictions(config.registrar):
        if not reader.at_fault("registrar", key, *_INSTEAD.get(key, ())):
            reader.fault("registrar", key, words)
    return reader, config


def load(path: str | None, overrides: Iterable[Override]) -> Config:
    """
    Read a configuration, but none of the files that it names.

    :raise ConfigError: all that is wrong with it.
    """
    reader, config = read(path, overrides)
    reader.check()
    return config


#: What is missing may have been given wrongly by another key.
_INSTEAD = {"asap-tls": ("asap", "security"), "auth": ("certificate",)}


def _contradictions(table: RegistrarTable) -> Iterable[tuple[str, str]]:
    """What can't be together, as key and words."""
    for key in ("enrp", "enrp-tls", "peer", "enrp-auth"):
        if getattr(table, key.replace("-", "_")):
            yield key, "this version runs one registrar alone: there is no ENRP yet"
    if not (table.asap or table.asap_tls):
        yield "asap-tls", "the registrar listens nowhere: give asap-tls, like tcp:3864"
    if bool(table.certificate) != bool(table.private_key):
        missing = "private-key" if table.certificate else "certificate"
        yield missing, "certificate and private-key go together"
    if table.rules and table.authorizer:
        yield "authorizer", "rules is an authorizer already: give one of the two"
    if table.legacy_suites and table.tls_minimum != "1.2":
        yield "legacy-suites", "only TLS 1.2 has them: set tls-minimum to 1.2 as well"
    yield from _insecure(table) if table.security == "none" else _secure(table)


def _insecure(table: RegistrarTable) -> Iterable[tuple[str, str]]:
    """All insecure: nothing that looks like security may be configured (design)."""
    for key in (
        "asap_tls", "auth", "certificate", "private_key", "rules", "authorizer", "identity",
    ):  # fmt: skip
        if getattr(table, key):
            yield (
                key.replace("_", "-"),
                "security is none: the database is all insecure, and this would mix; set "
                "security to required, or leave this out",
            )


def _secure(table: RegistrarTable) -> Iterable[tuple[str, str]]:
    if table.asap and not table.asap_tls:
        yield (
            "asap-tls",
            "security is required: without a TLS listener nobody could do anything; give "
            "asap-tls, or set security to none",
        )
    if table.asap_tls and not (table.auth or table.certificate):
        yield (
            "auth",
            "TLS needs auth (psk:FILE) for pool elements, certificate and private-key for "
            "pool users, or both",
        )
