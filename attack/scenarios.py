"""
The attacks, as they were published, and those that follow from RFC 5355.

The first three are those of Dreibholz, Zhou, Rathgeb and others (2008 to 2010): attackers that
resolve, report and register, at the rates of their measurements and beyond.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from attack.stage import FIRST, Stage

#: What an attack needs, as the attackers' specification has it; None: nobody attacks.
Attack = dict[str, Any] | None


@attrs.frozen
class Scenario:
    """
    One kind of attack, weaker and stronger.

    :ivar levels: label and attack; the first is without.
    :ivar quick: how many of the last levels a quick run takes, beside the first.
    :ivar settings: what the registrar is told besides, with ``{port}`` for its port.
    """

    name: str
    title: str
    levels: Callable[[Stage], list[tuple[str, Attack]]]
    quick: int = 1
    registrars: int = 1
    settings: Mapping[str, str] = {}


NOBODY: tuple[str, Attack] = ("none", None)


def resolutions(stage: Stage) -> list[tuple[str, Attack]]:
    """Ten attackers, faster and faster; then one, and ten, as fast as they can."""
    return [
        NOBODY,
        *(
            (f"10, every {interval:g} s",
             {"kind": "resolve", "attackers": 10, "interval": interval})
            for interval in (10, 1, 0.1, 0.01)
        ),
        ("1, flooding", {"kind": "flood", "attackers": 1}),
        ("10, flooding", {"kind": "flood", "attackers": 10}),
    ]  # fmt: skip


def reports(stage: Stage) -> list[tuple[str, Attack]]:
    """Attackers that resolve ten times a second and report with growing probability."""
    return [
        NOBODY,
        *(
            (f"{count}, probability {probability:g}",
             {"kind": "unreachable", "attackers": count, "interval": 0.1,
              "probability": probability})
            for count, probability in ((1, 1.0), (10, 0.1), (10, 0.5), (10, 1.0))
        ),
        ("10 with a key", {"kind": "unreachable", "attackers": 10, "interval": 0.1,
                           "probability": 1.0, "identity": "web-2",
                           "key": stage.key("web-2")}),
    ]  # fmt: skip


def registrations(stage: Stage) -> list[tuple[str, Attack]]:
    """Attackers that register identifiers at random: without a key, and with a stolen one."""
    stolen = {"identity": "web-2", "key": stage.key("web-2")}
    return [
        NOBODY,
        ("10 without key, 0.5 s", {"kind": "register", "attackers": 10, "interval": 0.5}),
        ("10 without key, 0.01 s", {"kind": "register", "attackers": 10, "interval": 0.01}),
        *(
            (f"1 with a key, {interval:g} s",
             {"kind": "register", "attackers": 1, "interval": interval, **stolen})
            for interval in (50, 5, 0.5)
        ),
        ("10 with a key, 1,000/s",
         {"kind": "register", "attackers": 10, "interval": 0.01, **stolen}),
    ]  # fmt: skip


def reconnecting(stage: Stage) -> list[tuple[str, Attack]]:
    """Sessions that come and go: 10,000 of them in all, as fast as they can."""
    return [
        NOBODY,
        ("10 addresses, 1,000 each", {"kind": "churn", "attackers": 10, "sessions": 1000}),
        ("1 address, 10,000", {"kind": "churn", "attackers": 1, "sessions": 10_000}),
        ("one key, 10,000", {"kind": "churn", "attackers": 10, "sessions": 1000,
                             "identity": "web-2", "key": stage.key("web-2")}),
    ]  # fmt: skip


def handshakes(stage: Stage) -> list[tuple[str, Attack]]:
    """Handshakes that never end, and such that fail."""
    return [
        NOBODY,
        ("10, 100 half-open each", {"kind": "half-open", "attackers": 10, "held": 100}),
        ("1, failing", {"kind": "failing", "attackers": 1, "name": "web-1"}),
        ("10, failing", {"kind": "failing", "attackers": 10, "name": "web-1"}),
    ]


def peers(stage: Stage) -> list[tuple[str, Attack]]:
    """A registrar with a valid key that floods, and speaks for others."""
    registrars = (stage.files / "registrars.psk").read_text().splitlines()
    key = next(line.partition(":")[2] for line in registrars if line.startswith("r2@r1:"))
    spec = {
        "kind": "rogue-peer", "identity": "r2@r1", "key": key, "enrp": True,
        "port": stage.port + 5, "own": 0x0BAD, "identifier": FIRST,
        "victim": int(stage.status()["server-id"], 16),
    }  # fmt: skip
    return [
        NOBODY,
        ("1 rogue registrar", {**spec, "attackers": 1}),
        ("10 connections of it", {**spec, "attackers": 10}),
    ]


def announcements(stage: Stage) -> list[tuple[str, Attack]]:
    """Forged announcements, of registrars that aren't there, to elements and to registrars."""
    spec = {"kind": "announce", "attackers": 10, "groups": [
        GROUPS[key].format(port=stage.port)
        for key in ("announce.asap-group", "announce.enrp-group")
    ]}  # fmt: skip
    return [
        NOBODY,
        ("10, 100 a second", {**spec, "interval": 0.01}),
        ("10, 1,000 a second", {**spec, "interval": 0.001}),
    ]


#: In the port of the registrar, which is free for datagrams, too.
GROUPS = {
    "announce.asap-group": "239.255.0.50:{port}",
    "announce.enrp-group": "239.255.0.51:{port}",
    "announce.interface": "127.0.0.1",
    "announce.listen": "always",
}
SCENARIOS = (
    Scenario("resolutions", "Handle-resolution attackers", resolutions, quick=2),
    Scenario("reports", "Unreachable attackers, ten reports a second each", reports),
    Scenario("registrations", "Registration attackers, random identifiers", registrations),
    Scenario("reconnecting", "Reconnect churn", reconnecting),
    Scenario("handshakes", "Half-open and failing handshakes", handshakes),
    Scenario("peers", "Rogue registrar", peers, registrars=2),
    Scenario(
        "announcements", "Forged announcements", announcements, registrars=2, settings=GROUPS
    ),
)
