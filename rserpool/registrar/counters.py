"""What the registrar has done, counted; the status page reads it with ``attrs.asdict``."""

import attrs


@attrs.define(eq=False)
class Counters:
    """Plain integers, since the hot path adds to them."""

    resolutions: int = 0
    resolutions_unknown: int = 0
    resolutions_refused: int = 0
    registrations_new: int = 0
    registrations_joined: int = 0
    registrations_changed: int = 0
    registrations_renewed: int = 0
    registrations_refused: int = 0
    deregistrations: int = 0
    deregistrations_refused: int = 0
    reports: int = 0
    reports_refused: int = 0
    updates_sent: int = 0
    keep_alives_sent: int = 0
    keep_alives_acknowledged: int = 0
    keep_alives_over_limit: int = 0  # that reports would have caused beyond an element's budget
    elements_expired: int = 0  # their registration life ended
    elements_silent: int = 0  # a keep-alive went unanswered
    elements_lost: int = 0  # their connection ended and they didn't come back
    elements_reported: int = 0  # too many different reporters called them unreachable
    bad_messages: int = 0
    unexpected_messages: int = 0
    peer_updates: int = 0  # ENRP_HANDLE_UPDATEs that have come
    peer_refusals: int = 0  # messages of peers that were refused
    peer_errors: int = 0  # ENRP_ERRORs that have come
    announcements: int = 0  # of ourselves, to pool elements and users
    presences_overheard: int = 0  # by multicast, from whoever
    presences_over_limit: int = 0  # of these, beyond what we call because of them
    resyncs: int = 0  # differences from a peer, mended by its list
    takeovers_started: int = 0
    takeovers_won: int = 0
    elements_adopted: int = 0  # have acknowledged us as their new home
    elements_orphaned: int = 0  # were taken over and haven't come
