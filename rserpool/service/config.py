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
from rserpool.security.decisions import Mode
from rserpool.service import interop
from rserpool.service.contradictions import INSTEAD, contradictions
from rserpool.service.groups import AnnounceTable, listeners
from rserpool.service.groups import contradictions as group_contradictions
from rserpool.service.interop import InteropTable
from rserpool.service.kinds import (
    concrete_interfaces,
    endpoint,
    file,
    local_endpoint,
    peer,
    port_of,
    provider,
    split_peer,
)
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
from rserpool.transport.endpoints import is_sctp
from rserpool.transport.watch import Patience
from rserpool.wire.parameters import SCTPTransport, ServerTransport, TCPTransport

_DATABASE = "What it is"
_LISTENING = "Where it listens"
_PROOF = "Who proves what to whom"
_PEERS = "Other registrars of the scope"


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
        help="how pool elements prove who they are: psk:FILE, certificate:CA-FILE[;crl=FILE], "
        "or a plugin's",
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
    rate_limit: str | None = setting(
        provider, default=None, help="instead of the rates of [limits]: a plugin, KIND:ARGS"
    )
    authorization: str = setting(
        choice("enforce", "report"), default="enforce",
        help="report: what the rules deny is allowed all the same, written down and counted",
    )  # fmt: skip
    status: str | None = setting(
        local_endpoint, default=None, option="ENDPOINT", group=_LISTENING,
        help="serve status page, /status.json and /metrics over HTTP, like tcp:8080; on "
        "loopback only unless interface= says otherwise",
    )  # fmt: skip
    enrp: tuple[str, ...] = setting(
        endpoint, default=(), many=True, option="ENDPOINT", group=_PEERS,
        help="listen for other registrars without TLS, like tcp:9901",
    )  # fmt: skip
    enrp_tls: tuple[str, ...] = setting(
        endpoint, default=(), many=True, option="ENDPOINT", group=_PEERS,
        help="listen for other registrars with TLS, like tcp:9902",
    )  # fmt: skip
    peer: tuple[str, ...] = setting(
        peer, default=(), many=True, option="[NAME=]ENDPOINT", group=_PEERS,
        help="another registrar of this scope, like reg-2=tcp:HOST:9902",
    )  # fmt: skip
    identity: str | None = setting(
        text, default=None, option="NAME", group=_PEERS,
        help="the name this registrar proves to its peers",
    )  # fmt: skip
    enrp_auth: tuple[str, ...] = setting(
        provider, default=(), many=True, option="KIND:ARGS", group=_PEERS,
        help="how other registrars prove who they are: psk:FILE, certificate:CA-FILE, or a "
        "plugin's; with the same, this one proves itself to them",
    )  # fmt: skip
    takeover_suggestion: bool = setting(
        boolean, default=False,
        help="heed a peer that would rather have us be the home of an element",
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
        _SECONDS,
        default=30.0,
        rsplib=2.4,
        help="between two signs of life to peers (RFC 5353 section 4.1)",
    )
    max_time_last_heard: float = setting(
        _SECONDS, default=61.0, rsplib=6.0, help="until a silent peer is asked for one"
    )
    max_time_no_response: float = setting(
        _SECONDS, default=5.0, rsplib=3.0, help="until a peer that was asked counts as dead"
    )
    rehome_timeout: float = setting(
        _SECONDS, default=60.0,
        help="until an element whose registrar was taken over must have come to its new home",
    )  # fmt: skip
    server_announce: float = setting(
        _SECONDS, default=1.0, help="between two announcements (RFC 5352 section 7.1)"
    )


_RATE = number(0.0, 1e9)
_COUNT = whole()
_DEFAULT = Rates()
_CONNECTIONS = ConnectionLimits()
#: Of a scope's registrars there are few; and whoever fills ASAP's doors doesn't fill theirs.
_PEER_CONNECTIONS = ConnectionLimits(connections=1000, connections_per_address=50)
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

    mode: str = setting(
        choice("enforce", "report", "off"), default="enforce",
        help="of all rates below: report only counts and tells what is over one, off doesn't "
        "count either; sizes hold in any mode",
    )  # fmt: skip
    registrations_per_second: float = _rate(
        "of one principal", _DEFAULT.registrations.per_second
    )
    registrations_burst: float = _rate("at once", _DEFAULT.registrations.burst)
    deregistrations_per_second: float = _rate(
        "of one principal", _DEFAULT.deregistrations.per_second
    )
    deregistrations_burst: float = _rate("at once", _DEFAULT.deregistrations.burst)
    resolutions_per_second: float = _rate(
        "of one principal or address", _DEFAULT.resolutions.per_second
    )
    resolutions_burst: float = _rate("at once", _DEFAULT.resolutions.burst)
    unreachables_per_second: float = _rate(
        "of one principal or address", _DEFAULT.unreachables.per_second
    )
    unreachables_burst: float = _rate("at once", _DEFAULT.unreachables.burst)
    peer_presences_per_second: float = _rate("of one peer", _DEFAULT.presences.per_second)
    peer_presences_burst: float = _rate("at once", _DEFAULT.presences.burst)
    peer_lists_per_second: float = _rate("of one peer", _DEFAULT.lists.per_second)
    peer_lists_burst: float = _rate("at once", _DEFAULT.lists.burst)
    peer_tables_per_second: float = _rate("of one peer", _DEFAULT.tables.per_second)
    peer_tables_burst: float = _rate("at once", _DEFAULT.tables.burst)
    peer_updates_per_second: float = _rate("of one peer", _DEFAULT.updates.per_second)
    peer_updates_burst: float = _rate("at once", _DEFAULT.updates.burst)
    peer_takeovers_per_second: float = _rate("of one peer", _DEFAULT.takeovers.per_second)
    peer_takeovers_burst: float = _rate("at once", _DEFAULT.takeovers.burst)
    handshake_failures_per_second: float = _rate(
        "from one address", _CONNECTIONS.handshake_failures.per_second
    )
    handshake_failures_burst: float = _rate("at once", _CONNECTIONS.handshake_failures.burst)
    connections_per_second: float = _rate(
        "new ones, from one address and of one principal", _CONNECTIONS.rate.per_second
    )
    connections_burst: float = _rate("at once", _CONNECTIONS.rate.burst)
    keep_alives_per_second: float = _rate(
        "to one element, caused by reports", _CORE.keep_alives_per_second
    )
    keep_alives_burst: float = _rate("at once", _CORE.keep_alives_burst)
    handshake_timeout: float = _rate(
        "seconds that proving who it is may take", _PATIENCE.handshake
    )
    check_timeout: float = _rate("seconds that a plugin may take to say who somebody is", 5.0)
    idle_timeout: float = _rate("seconds without a message", _PATIENCE.idle)
    connections: int = _count("in all", _CONNECTIONS.connections)
    connections_per_address: int = _count(
        "from one address", _CONNECTIONS.connections_per_address
    )
    connections_per_principal: int = _count(
        "of one principal", _CONNECTIONS.connections_per_principal
    )
    peer_connections: int = _count("of other registrars, in all", _PEER_CONNECTIONS.connections)
    peer_connections_per_address: int = _count(
        "of other registrars, from one address", _PEER_CONNECTIONS.connections_per_address
    )
    pools: int = _count("in all", _SPACE.pools)
    elements_per_pool: int = _count("in one pool", _SPACE.elements_per_pool)
    elements_per_principal: int = _count("of one principal", _SPACE.elements_per_principal)
    elements_per_registrar: int = _count(
        "of one other registrar", _SPACE.elements_per_registrar
    )
    handle_bytes: int = setting(
        _COUNT, default=_SPACE.handle_bytes, rsplib=interop.RSPLIB_HANDLE,
        help="octets of a pool handle",
    )  # fmt: skip
    max_bad_pe_reports: int = _count(
        "different reporters that remove an element", _CORE.max_bad_pe_reports
    )
    report_window: float = _rate("seconds for which reports count", _CORE.report_window)


@attrs.frozen(kw_only=True)
class AuditTable:
    """``[audit]``: where it is written down who did what."""

    file: str | None = setting(
        file, default=None,
        help="append the audit log to this file, each line bound to those before it "
        "(rserpool audit verify)",
    )  # fmt: skip
    size: int = setting(
        whole(), default=100_000_000,
        help="octets at which the file is rotated; 0: never, somebody else does (SIGHUP)",
    )  # fmt: skip
    keep: int = setting(whole(0, 10_000), default=10, help="rotated files that are kept")
    log: bool = setting(
        boolean, default=True, help="write audit lines to the program's log as well"
    )
    decisions: str = setting(
        choice("all", "refused"), default="all",
        help="refused: don't write what is allowed, but for changes of state",
    )  # fmt: skip


TABLES: dict[str, type] = {
    "registrar": RegistrarTable,
    "timers": TimersTable,
    "limits": LimitsTable,
    "audit": AuditTable,
    "announce": AnnounceTable,
    "interop": InteropTable,
}


@attrs.frozen
class Peer:
    """
    Another registrar, as it is configured.

    :ivar target: the whole of it, as the core knows it.
    """

    target: str
    name: str | None
    endpoint: str


@attrs.frozen(kw_only=True)
class Config:
    """A configuration without contradictions."""

    registrar: RegistrarTable
    timers: TimersTable
    limits: LimitsTable
    audit: AuditTable = AuditTable()
    announce: AnnounceTable = AnnounceTable()
    interop: InteropTable = InteropTable()

    @property
    def server_id(self) -> int:
        """The configured identifier, or a random one (RFC 5353 section 3.2.1)."""
        return self.registrar.server_id or random.SystemRandom().randint(1, 0xFFFFFFFF)

    @property
    def required(self) -> bool:
        """Whether the database is all secure."""
        return self.registrar.security == "required"

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The other registrars that are configured."""
        return tuple(Peer(text, *split_peer(text)) for text in self.registrar.peer)

    @property
    def enrp_transport(self) -> ServerTransport | None:
        """
        Where peers may call this registrar, as it tells them; None: nowhere.

        A plain listener of a secure registrar only refuses, and a port that the kernel
        chooses isn't known yet.
        """
        return next(iter(self._enrp_transports), None)

    @property
    def enrp_sctp(self) -> SCTPTransport | None:
        """The same for who is connected by SCTP."""
        for transport in self._enrp_transports:
            if isinstance(transport, SCTPTransport):
                return transport
        return None

    @property
    def _enrp_transports(self) -> Iterable[ServerTransport]:
        table = self.registrar
        for description in table.enrp_tls or (() if self.required else table.enrp):
            port, addresses = port_of(description), concrete_interfaces(description)
            if port:
                kind = SCTPTransport if is_sctp(description) else TCPTransport
                yield kind(port=port, addresses=addresses)

    @property
    def settings(self) -> Settings:
        """What the registrar's procedures go by."""
        timers = self.timers
        return Settings(
            peer_heartbeat_cycle=timers.peer_heartbeat_cycle,
            max_time_last_heard=timers.max_time_last_heard,
            max_time_no_response=timers.max_time_no_response,
            rehome_timeout=timers.rehome_timeout,
            enrp_transport=self.enrp_transport,
            enrp_sctp=self.enrp_sctp,
            server_announce=timers.server_announce,
            asap_transports=() if self.announce.silent else listeners(self.registrar),
            announces=bool(self.announce.asap_group),
            presents=bool(self.announce.enrp_group),
            hears=self.announce.hears(self.required),
            takeover_suggestion=self.registrar.takeover_suggestion,
            lower_id_wins=self.interop.arbitration == "smaller-id",
            interop=self.interop.core,
            keep_alive_interval=timers.keep_alive_interval,
            keep_alive_timeout=timers.keep_alive_timeout,
            max_bad_pe_reports=self.limits.max_bad_pe_reports,
            report_window=self.limits.report_window,
            keep_alives_per_second=self.limits.keep_alives_per_second,
            keep_alives_burst=self.limits.keep_alives_burst,
            keep_alives_enforced=self.limiting is Mode.ENFORCE,
        )

    @property
    def authorization(self) -> Mode:
        """What a denial by the authorizer leads to."""
        return Mode(self.registrar.authorization)

    @property
    def lenient(self) -> Iterable[str]:
        """What is configured, and isn't enforced: for who reads the log."""
        if self.authorization is Mode.REPORT and self.required:
            yield (
                "authorization is report: what the rules deny is written down, and DONE ALL "
                "THE SAME; set it to enforce when you have seen enough"
            )
        if self.limits.mode != "enforce":
            yield (
                f"limits.mode is {self.limits.mode}: floods are served as long as there is "
                "memory and time (RFC 5355 sections 2.1, 2.13)"
            )
        if self.required and self.registrar.plain_resolution:
            yield (
                "plain-resolution is on: without TLS anybody on the way may change what users "
                "are told (RFC 5352 section 9.3)"
            )

    @property
    def limiting(self) -> Mode:
        """What exceeding a rate leads to; where all are off it makes no difference."""
        return Mode.REPORT if self.limits.mode == "report" else Mode.ENFORCE

    @property
    def rates(self) -> Rates:
        """The budgets of one principal."""
        limits = self.limits
        return Rates(
            registrations=Rate(limits.registrations_per_second, limits.registrations_burst),
            deregistrations=Rate(
                limits.deregistrations_per_second, limits.deregistrations_burst
            ),
            resolutions=Rate(limits.resolutions_per_second, limits.resolutions_burst),
            unreachables=Rate(limits.unreachables_per_second, limits.unreachables_burst),
            presences=Rate(limits.peer_presences_per_second, limits.peer_presences_burst),
            lists=Rate(limits.peer_lists_per_second, limits.peer_lists_burst),
            tables=Rate(limits.peer_tables_per_second, limits.peer_tables_burst),
            updates=Rate(limits.peer_updates_per_second, limits.peer_updates_burst),
            takeovers=Rate(limits.peer_takeovers_per_second, limits.peer_takeovers_burst),
        )

    @property
    def handlespace_limits(self) -> HandlespaceLimits:
        """How large the handlespace may grow."""
        limits = self.limits
        return HandlespaceLimits(
            pools=limits.pools,
            elements_per_pool=limits.elements_per_pool,
            elements_per_principal=limits.elements_per_principal,
            elements_per_registrar=limits.elements_per_registrar,
            handle_bytes=limits.handle_bytes,
        )

    @property
    def connection_limits(self) -> ConnectionLimits:
        """Who may connect."""
        limits = self.limits
        return ConnectionLimits(
            connections=limits.connections,
            connections_per_address=limits.connections_per_address,
            connections_per_principal=limits.connections_per_principal,
            rate=Rate(limits.connections_per_second, limits.connections_burst),
            handshake_failures=Rate(
                limits.handshake_failures_per_second, limits.handshake_failures_burst
            ),
            enforced=self.limiting is Mode.ENFORCE,
        )

    @property
    def peer_connection_limits(self) -> ConnectionLimits:
        """The same for other registrars."""
        return attrs.evolve(
            self.connection_limits,
            connections=self.limits.peer_connections,
            connections_per_address=self.limits.peer_connections_per_address,
        )

    @property
    def patience(self) -> Patience:
        """How long pool elements and users may take."""
        return Patience(handshake=self.limits.handshake_timeout, idle=self.limits.idle_timeout)

    @property
    def peer_patience(self) -> Patience:
        """
        How long other registrars may take.

        Whether one is silent the core watches: a connection ends after that, never before.
        """
        silence = self.timers.max_time_last_heard
        idle = self.limits.idle_timeout
        return attrs.evolve(
            self.patience, idle=max(idle, 2 * silence) if idle else 0.0, stall=silence
        )


def read(path: str | None, overrides: Iterable[Override]) -> tuple[Reader, Config]:
    """Read a configuration; the reader has what is wrong with it so far."""
    reader = Reader(TABLES)
    tables = reader.read(path, overrides)
    config = _switched(Config(**interop.profiled(tables, reader.given)))
    for key, words in contradictions(config.registrar):
        if not reader.at_fault("registrar", key, *INSTEAD.get(key, ())):
            reader.fault("registrar", key, words)
    for key, words in group_contradictions(
        config.announce, config.registrar, config.enrp_transport
    ):
        if not reader.at_fault("announce", key) and not reader.at_fault(
            "registrar", "asap", "asap-tls", "enrp", "enrp-tls", "security"
        ):
            reader.fault("announce", key, words)
    for table, key, words in interop.contradictions(config):
        if not reader.at_fault(table, key):
            reader.fault(table, key, words)
    return reader, config


def _switched(config: Config) -> Config:
    """Where limits are off, every rate is 0, which is no limit."""
    if config.limits.mode != "off":
        return config
    rates = [f.name for f in attrs.fields(LimitsTable) if f.name.endswith("_per_second")]
    none: dict[str, Any] = dict.fromkeys(rates, 0.0)
    return attrs.evolve(config, limits=attrs.evolve(config.limits, **none))


def load(path: str | None, overrides: Iterable[Override]) -> Config:
    """
    Read a configuration, but none of the files that it names.

    :raise ConfigError: all that is wrong with it.
    """
    reader, config = read(path, overrides)
    reader.check()
    return config
