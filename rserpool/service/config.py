"""The registrar's configuration: what its tables mean together, and what contradicts."""

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
from rserpool.service.kinds import concrete_interfaces, port_of, split_peer
from rserpool.service.settings import Override, Reader
from rserpool.service.tables import (
    TABLES,
    AuditTable,
    LimitsTable,
    RegistrarTable,
    TimersTable,
)
from rserpool.transport.allowance import ConnectionLimits
from rserpool.transport.endpoints import is_sctp
from rserpool.transport.watch import Patience
from rserpool.wire.parameters import SCTPTransport, ServerTransport, TCPTransport


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
