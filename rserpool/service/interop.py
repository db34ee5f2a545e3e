"""
``[interop]``: ways of other implementations, each a key of its own, and profiles of them.

A profile changes the defaults of keys, in any table (``rsplib=`` where a setting is declared);
what is given explicitly wins.  What can't work together is a fault, all the same.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from rserpool.registrar.interop import Interop
from rserpool.service.kinds import port_of
from rserpool.service.settings import boolean, choice, key_of, number, setting, whole
from rserpool.wire.framing import MAXIMUM_LENGTH

if TYPE_CHECKING:
    from rserpool.service.config import Config
    from rserpool.service.tables import RegistrarTable

RFC, RSPLIB = "rfc", "rsplib"
#: Octets of a pool handle that rsplib 3.4.4 bears; a longer one aborts rspregistrar.
RSPLIB_HANDLE = 32
#: Seconds in one unit of registration life.
LIFE_UNITS = {"seconds": 1.0, "milliseconds": 0.001}

profile_setting = setting(
    choice(RFC, RSPLIB), default=RFC, option="rfc|rsplib", group="What it is",
    help="whose ways to follow where implementations differ: the defaults of [interop]",
)  # fmt: skip
life_unit_setting = setting(
    choice(*LIFE_UNITS), default="seconds", rsplib="milliseconds",
    help="what a registration life is counted in (RFC 5354 section 3.10: seconds)",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class InteropTable:
    """``[interop]``; the defaults are the RFCs'."""

    profile: str = profile_setting
    life_unit: str = life_unit_setting
    arbitration: str = setting(
        choice("larger-id", "smaller-id"), default="larger-id", rsplib="smaller-id",
        help="of two that want to take over the same registrar, who goes on",
    )  # fmt: skip
    full_presence: bool = setting(
        boolean, default=False, rsplib=True,
        help="send presences only with checksum and Server Information",
    )  # fmt: skip
    call_from: str = setting(
        choice("any", "enrp-port"), default="any", rsplib="enrp-port",
        help="the port from which other registrars are called over SCTP",
    )  # fmt: skip
    asap_transport: str = setting(
        choice("known", "always"), default="known", rsplib="always",
        help="always: of SCTP, made up for elements that have none",
    )  # fmt: skip
    peer_parameters: str = setting(
        choice("all", "rfc"), default="all", rsplib="rfc",
        help="rfc: tell other registrars nothing of parameters that RFC 5354 doesn't have",
    )  # fmt: skip
    user_addresses: str = setting(
        choice("all", "usable"), default="all", rsplib="usable",
        help="usable: leave out addresses of an element that aren't its association's; all: "
        "refuse such an element",
    )  # fmt: skip
    elements: str = setting(
        choice("any", "readable"), default="any", rsplib="readable",
        help="readable: refuse elements that registrars of rsplib can't read",
    )  # fmt: skip
    keep_alive_pe_id: bool = setting(
        boolean, default=False, rsplib=True, help="name the element in keep-alives"
    )
    update_receiver: bool = setting(
        boolean, default=False, rsplib=True,
        help="name the receiver in handle updates; all registrars of a scope must agree",
    )  # fmt: skip
    default_items: int = setting(
        whole(0, 0xFFFF), default=0, rsplib=3,
        help="elements in an answer to who doesn't say how many; 0: all that fit",
    )  # fmt: skip
    most_items: int = setting(
        whole(0, 0xFFFF), default=0, rsplib=128, help="elements in any answer; 0: all that fit"
    )
    table_bytes: int = setting(
        whole(512, MAXIMUM_LENGTH), default=MAXIMUM_LENGTH, rsplib=1400,
        help="octets of one part of a handle table",
    )  # fmt: skip
    element_silence: float = setting(
        number(0.0, 1e6), default=0.0, rsplib=30.0,
        help="seconds of silence after which elements hang up: keep-alives have to come more "
        "often; 0: they don't",
    )  # fmt: skip
    peer_silence: float = setting(
        number(0.0, 1e6), default=0.0, rsplib=5.0,
        help="seconds of silence after which other registrars count this one as dead: signs "
        "of life have to come twice as often; 0: they go by max-time-last-heard",
    )  # fmt: skip

    @property
    def core(self) -> Interop:
        """The same for the registrar's procedures."""
        return Interop(
            life_unit=LIFE_UNITS[self.life_unit],
            full_presence=self.full_presence,
            always_asap_transport=self.asap_transport == "always",
            strip_parameters=self.peer_parameters == "rfc",
            usable_addresses=self.user_addresses == "usable",
            keep_alive_identifier=self.keep_alive_pe_id,
            update_receiver=self.update_receiver,
            default_items=self.default_items,
            most_items=self.most_items,
            table_bytes=self.table_bytes,
            readable_only=self.elements == "readable",
        )


def profiled(tables: Mapping[str, Any], given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """
    The tables with the defaults of their profile.

    :param given: table and key of what is set explicitly.
    """
    if tables["interop"].profile != RSPLIB:
        return dict(tables)
    known = set(given)
    changed = {}
    for name, table in tables.items():
        values = {
            field.name: field.metadata["rsplib"]
            for field in attrs.fields(type(table))
            if field.metadata["rsplib"] is not None and (name, key_of(field.name)) not in known
        }
        changed[name] = attrs.evolve(table, **values)
    if "announce" in changed:
        _groups(changed, known)
    return changed


def _groups(tables: dict[str, Any], given: set[tuple[str, str]]) -> None:
    """Leave groups out where there is nothing to tell them, or nobody may believe it."""
    registrar, announce = tables["registrar"], tables["announce"]
    for group, listeners in (("asap_group", registrar.asap), ("enrp_group", registrar.enrp)):
        heard = registrar.security == "none" and any(map(port_of, listeners))
        if not heard and ("announce", key_of(group)) not in given:
            announce = attrs.evolve(announce, **{group: ()})
    tables["announce"] = announce


def source(config: "Config") -> str:
    """Options for endpoints of other registrars by SCTP: from where they are called."""
    where = config.enrp_sctp
    if config.interop.call_from == "any" or where is None:
        return ""
    addresses = ",".join(str(address) for address in where.addresses).replace(":", "\\:")
    bound = f":bindAddress={addresses}" if addresses else ""
    return f"{bound}:bindPort={where.port}"


def contradictions(config: "Config") -> Iterable[tuple[str, str, str]]:
    """What of a configuration can't be together, as table, key and words."""
    table, interop, timers = config.registrar, config.interop, config.timers
    if interop.profile == RSPLIB:
        yield from _rsplib(config)
    longest = 1.5 * timers.keep_alive_interval + timers.keep_alive_timeout
    if interop.element_silence and longest > interop.element_silence:
        yield (
            "timers",
            "keep-alive-interval",
            f"elements hang up after {interop.element_silence:g} s of silence, and up to "
            f"{longest:g} s may pass (interval, plus half of it, plus keep-alive-timeout): "
            "shorten it",
        )
    if interop.peer_silence and 2 * timers.peer_heartbeat_cycle > interop.peer_silence:
        yield (
            "timers",
            "peer-heartbeat-cycle",
            f"other registrars count this one as dead after {interop.peer_silence:g} s of "
            "silence: half of that is the most",
        )
    if interop.full_presence and _peered(table) and config.enrp_transport is None:
        yield (
            "registrar",
            "enrp",
            "with full-presence other registrars must be told where this one is: give enrp, "
            "with a port",
        )
    secure = config.required and _peered(table) and interop.profile != RSPLIB
    if interop.peer_parameters == "rfc" and secure:
        yield (
            "interop",
            "peer-parameters",
            "security is required: other registrars must be told whose an element is, which "
            "RFC 5354 has no parameter for",
        )


def _rsplib(config: "Config") -> Iterable[tuple[str, str, str]]:
    """The profile can't make up for these."""
    if config.required and _peered(config.registrar):
        yield (
            "interop",
            "profile",
            "security is required, and rsplib has no TLS: no registrar of rsplib could be a "
            "peer. Set security to none (the whole scope is insecure then), or profile to rfc",
        )
    if not 0 < config.limits.handle_bytes <= RSPLIB_HANDLE:
        yield (
            "limits",
            "handle-bytes",
            f"a pool handle of more than {RSPLIB_HANDLE} octets aborts registrars of rsplib: "
            f"set it to {RSPLIB_HANDLE} or less",
        )


def _peered(table: "RegistrarTable") -> bool:
    return bool(table.peer or table.enrp or table.enrp_tls)


def warnings(config: "Config") -> Iterable[str]:
    """What an operator has to know at the start."""
    if config.interop.profile != RSPLIB:
        return
    if not config.required:
        yield (
            "PROFILE rsplib: rsplib proves nothing and asks for no proof, so that a scope with "
            "a part of it is insecure as a whole, whatever its other parts could do"
        )
    else:
        yield (
            "profile rsplib, and security is required: rsplib has no TLS, so that none of its "
            "pool elements can register here; its pool users are answered "
            + ("on plain listeners" if config.registrar.plain_resolution
               else "only with plain-resolution")
        )  # fmt: skip
