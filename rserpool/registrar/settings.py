"""What an operator may set of the registrar's procedures; times in seconds."""

import attrs

from rserpool.registrar.interop import RFC, Interop
from rserpool.wire.parameters import SCTPTransport, ServerTransport


@attrs.frozen(kw_only=True)
class Settings:
    """Timers and bounds of the procedures; the defaults are those of the configuration."""

    #: Mean time between two keep-alives to one element.  Under 30 s, since rsplib's
    #: elements close an association that was silent for so long.
    keep_alive_interval: float = 10.0
    #: How long an element may take to acknowledge, or to come back after its
    #: connection was lost, before it is removed.
    keep_alive_timeout: float = 5.0
    #: MAX-BAD-PE-REPORT (RFC 5352 section 3.5): an element that more than so many
    #: different reporters call unreachable within the window is removed; 0: never.  More
    #: than a few, so that a few stolen keys don't remove elements that are well.
    max_bad_pe_reports: int = 10
    report_window: float = 60.0
    #: Keep-alives that reports may cause, for one element: stops the flood that one
    #: report would cost two messages of (RFC 5355 sections 2.13 and 2.14); 0: no limit.
    keep_alives_per_second: float = 1.0
    keep_alives_burst: float = 5.0
    #: False: those beyond the budget are counted, and sent all the same.
    keep_alives_enforced: bool = True
    #: Changes of a pool within this time reach its subscribers as one update.
    update_interval: float = 0.2
    #: Pools that one connection may subscribe to: each costs memory here and traffic at
    #: every change, and a subscriber pays nothing (RFC 5352 section 2.2.5); then A is 0.
    subscriptions_per_channel: int = 64
    #: Octets of one registration: an element of thousands of addresses would be paid
    #: for by every pool user who resolves the pool.
    registration_bytes: int = 4096
    #: Malformed messages before a connection is closed: each costs an answer.
    bad_messages_per_channel: int = 100
    #: PEER-HEARTBEAT-CYCLE, MAX-TIME-LAST-HEARD and MAX-TIME-NO-RESPONSE (RFC 5353 section 4).
    peer_heartbeat_cycle: float = 30.0
    max_time_last_heard: float = 61.0
    max_time_no_response: float = 5.0
    #: How long an element whose home was taken over may take to come to its new home.
    rehome_timeout: float = 60.0
    #: Where peers may call this registrar; None: nowhere.  Addresses that are not given are
    #: those of each connection.
    enrp_transport: ServerTransport | None = None
    #: The same for those who are connected by SCTP.
    enrp_sctp: SCTPTransport | None = None
    #: Where pool elements and users may call it, as it announces to groups; see `Announce`.
    asap_transports: tuple[ServerTransport, ...] = ()
    #: Seconds between two announcements (T6-Serverannounce, RFC 5352 section 7.1).
    server_announce: float = 1.0
    #: Announce ourselves to pool elements and users; to registrars; and call those who do so.
    announces: bool = False
    presents: bool = False
    hears: bool = False
    #: Bit 0 of ENRP_HANDLE_UPDATE (draft-dreibholz-rserpool-enrp-takeover) is heeded.
    takeover_suggestion: bool = False
    #: The smaller server ID goes on with a takeover, as rsplib has it; else the larger one
    #: (RFC 5353 section 3.5.1).
    lower_id_wins: bool = False
    #: Ways of other implementations.
    interop: Interop = RFC
