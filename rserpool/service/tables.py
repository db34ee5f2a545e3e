"""
The registrar's settings: the tables of the configuration, each key declared once.

Every key is a command-line option of the same name where design says so; the command line
wins.  ``etc/registrar.toml`` shows them all.
"""

from typing import Any

import attrs

from rserpool.handlespace.handlespace import Limits as HandlespaceLimits
from rserpool.registrar.settings import Settings
from rserpool.security.budgets import Rates
from rserpool.service.groups import AnnounceTable
from rserpool.service.interop import RSPLIB_HANDLE, InteropTable
from rserpool.service.kinds import endpoint, file, local_endpoint, peer, provider
from rserpool.service.settings import boolean, choice, number, setting, text, whole
from rserpool.transport.allowance import ConnectionLimits
from rserpool.transport.watch import Patience

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
        help="listen for pool elements and users without TLS, like tcp:3863 or sctp:3863",
    )  # fmt: skip
    asap_tls: tuple[str, ...] = setting(
        endpoint, default=(), many=True, option="ENDPOINT", group=_LISTENING,
        help="listen for pool elements and users with TLS, like tcp:3864 or sctp:3864",
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
        help="listen for other registrars without TLS, like tcp:9901 or sctp:9901",
    )  # fmt: skip
    enrp_tls: tuple[str, ...] = setting(
        endpoint, default=(), many=True, option="ENDPOINT", group=_PEERS,
        help="listen for other registrars with TLS, like tcp:9902 or sctp:9902",
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
        _COUNT, default=_SPACE.handle_bytes, rsplib=RSPLIB_HANDLE,
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
