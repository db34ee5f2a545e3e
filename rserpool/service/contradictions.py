"""What in ``[registrar]`` can't be together, as key and words."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rserpool.security.psk.pairwise import check_name
from rserpool.service.kinds import split_peer

if TYPE_CHECKING:
    from rserpool.service.tables import RegistrarTable

#: What is missing may have been given wrongly by another key.
INSTEAD = {
    "asap-tls": ("asap", "security"),
    "auth": ("certificate",),
    "enrp-auth": ("identity",),
}


def contradictions(table: "RegistrarTable") -> Iterable[tuple[str, str]]:
    """All of them."""
    if not (table.asap or table.asap_tls):
        yield "asap-tls", "the registrar listens nowhere: give asap-tls, like tcp:3864"
    if bool(table.certificate) != bool(table.private_key):
        missing = "private-key" if table.certificate else "certificate"
        yield missing, "certificate and private-key go together"
    if table.rules and table.authorizer:
        yield "authorizer", "rules is an authorizer already: give one of the two"
    if table.legacy_suites and table.tls_minimum != "1.2":
        yield "legacy-suites", "only TLS 1.2 has them: set tls-minimum to 1.2 as well"
    called = [split_peer(peer)[1] for peer in table.peer]
    for endpoint in sorted({one for one in called if called.count(one) > 1}):
        yield "peer", f"{endpoint} is given twice"
    yield from _insecure(table) if table.security == "none" else _secure(table)


def _insecure(table: "RegistrarTable") -> Iterable[tuple[str, str]]:
    """All insecure: nothing that looks like security may be configured (design)."""
    for key in (
        "asap_tls", "enrp_tls", "auth", "enrp_auth", "certificate", "private_key", "rules",
        "authorizer", "identity",
    ):  # fmt: skip
        if getattr(table, key):
            yield (
                key.replace("_", "-"),
                "security is none: the database is all insecure, and this would mix; set "
                "security to required, or leave this out",
            )


def _secure(table: "RegistrarTable") -> Iterable[tuple[str, str]]:
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
    yield from _peers(table)
    yield from _apart(table)


def _peers(table: "RegistrarTable") -> Iterable[tuple[str, str]]:
    """What other registrars need of us, and we of them."""
    if table.identity:
        try:
            check_name(table.identity)
        except ValueError as error:
            yield "identity", str(error)
    if not (table.enrp_tls or table.peer):
        return
    kinds = {text.partition(":")[0] for text in table.enrp_auth}
    if not table.enrp_auth:
        why = "enrp-tls" if table.enrp_tls else "peer"
        yield (
            "enrp-auth",
            f"{why} is given, but not how registrars prove who they are to each other: give "
            "enrp-auth, like psk:registrars.psk",
        )
    if table.peer and "psk" in kinds and not table.identity:
        yield "identity", "with enrp-auth psk: a name is needed under which peers are called"
    if table.peer and kinds == {"certificate"} and not table.certificate:
        yield "certificate", "with enrp-auth certificate: peers are shown this certificate"
    for peer in table.peer:
        name, _ = split_peer(peer)
        if name is not None and name == table.identity:
            yield "peer", f"{peer} has this registrar's own name"


def _apart(table: "RegistrarTable") -> Iterable[tuple[str, str]]:
    """Having a key is being allowed (RFC 5352 9.2): an element's isn't a registrar's."""
    for text in sorted(set(table.auth) & set(table.enrp_auth)):
        if text.startswith("psk:"):
            yield (
                "enrp-auth",
                f"{text} is auth as well, so that each pool element could speak as a "
                "registrar: give registrars a key file of their own",
            )
