"""
``rserpool dump``: the handlespace of a registrar, asked over ENRP as an authorized peer.

The requests have the sender's ID 0: they come from no registrar, and make none known.
"""

import argparse
from collections.abc import Sized
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from rserpool.cli import shown
from rserpool.cli.asking import registrars, security
from rserpool.cli.outcome import DONE, Failure, Negative, tell
from rserpool.client import PROFILES, Dialect
from rserpool.client.call import CALL_TIMEOUT, Call
from rserpool.client.security import Certified, Security
from rserpool.security.audit import described
from rserpool.transport import endpoints
from rserpool.transport.sctp.payload import Payload
from rserpool.wire import enrp
from rserpool.wire.causes import RejectedForSecurity
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import PoolElement, ServerInformation

#: Times that a registrar is asked again that gives no table now, and seconds in between.
ATTEMPTS, PAUSE = 5, 1.0
#: Elements taken from one registrar: whoever is at the other end could send without end.
MAXIMUM_ELEMENTS = 2_000_000
_WHERE = "give the endpoint where other registrars call it (enrp-tls), like tcp:HOST:9902"
_ASAP_ERROR = 0x0E
#: "This comes from no registrar."
NOBODY = 0


class Dump:
    """One registrar is asked for its peers and its table."""

    def __init__(self, reactor: Any, endpoint: str, proof: Security, timeout: float) -> None:
        self._reactor = reactor
        self._timeout = timeout
        self._call = Call(self, 0, proof, endpoint)
        self._proof = proof
        self._endpoint = endpoint
        self._attempts = 0
        self._patience: IDelayedCall | None = None
        self._count = 0
        self.registrar = 0
        self.peers: list[ServerInformation] = []
        self.pools: dict[bytes, list[PoolElement]] = {}
        self.done: Deferred[Dump] = Deferred()

    def start(self) -> "Deferred[Dump]":
        """Call; fires with itself when everything has come."""
        creator = self._proof.creator(endpoints.host_of(self._endpoint) or "")
        payload = Payload.ENRP.under(creator is not None)
        where = endpoints.client(self._reactor, self._endpoint, CALL_TIMEOUT, payload)
        self._call.dial(self._reactor, where, creator)
        return self.done

    def reached(self, call: Call) -> None:
        """The connection is up, TLS and all."""
        self._ask(enrp.ListRequest(sender=NOBODY))

    def failed(self, call: Call, words: str) -> None:
        """There is no connection."""
        self._end(Failure(f"{self._endpoint}: {words}{self._unproven()}"))

    def lost(self, call: Call, words: str) -> None:
        """The connection has ended."""
        self._end(Failure(f"{self._endpoint}: {words}{self._unproven()}"))

    def _unproven(self) -> str:
        """What may be missing, where we prove nothing."""
        proof = self._proof
        if not isinstance(proof, Certified) or proof.client is not None:
            return ""
        return "; who asks for all must prove a name: give --psk and --identity"

    def arrived(self, call: Call, messages: list[bytes]) -> None:
        """Answers have come."""
        for data in messages:
            if data[0] == _ASAP_ERROR:
                self._end(Failure(f"{self._endpoint} is for pool users; {_WHERE}"))
                return
            try:
                self._heed(enrp.decode(data).message)
            except WireError as error:
                self._end(Failure(f"{self._endpoint} sends what isn't ENRP: {error}"))

    def _heed(self, message: object) -> None:
        if isinstance(message, enrp.ListResponse):
            self.registrar = message.sender
            self.peers = list(message.servers)
            self._ask(enrp.HandleTableRequest(sender=NOBODY))
        elif isinstance(message, enrp.HandleTableResponse):
            self._part(message)
        elif isinstance(message, enrp.Error):
            denied = any(isinstance(c, RejectedForSecurity) for c in message.error.causes)
            self._end(
                Negative("the registrar refuses: its rules don't let us see the handlespace")
                if denied
                else Failure("the registrar doesn't understand what it was asked")
            )

    def _part(self, message: enrp.HandleTableResponse) -> None:
        if message.rejected:
            self._attempts += 1
            if self._attempts == ATTEMPTS:
                self._end(Failure("the registrar gives no table now; try again later"))
            else:
                self._reactor.callLater(
                    PAUSE, self._ask, enrp.HandleTableRequest(sender=NOBODY)
                )
            return
        for entry in enrp.entries(message):
            self.pools.setdefault(entry.handle, []).extend(entry.elements)
            self._count += len(entry.elements)
        if self._count > MAXIMUM_ELEMENTS:
            self._end(Failure(f"it sends more than {MAXIMUM_ELEMENTS} elements"))
        elif message.more:
            self._ask(enrp.HandleTableRequest(sender=NOBODY))
        else:
            self._end(self)

    def _ask(self, request: object) -> None:
        if self.done.called or self._call.connection is None:
            return
        self._call.connection.write(enrp.encode(request))
        self._wait()

    def _wait(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = self._reactor.callLater(
            self._timeout, self._end, Failure(f"{self._endpoint}: no answer; {_WHERE}")
        )

    def _end(self, result: object) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        if not self.done.called:
            self._call.hang_up()
            self.done.callback(result)  # type: ignore[arg-type]


def dump(args: argparse.Namespace) -> int:
    """Print every pool and element that a registrar knows, and which registrars there are."""
    from twisted.internet import reactor

    loop: Any = reactor
    proof = security(args)
    endpoint, *_ = registrars(args)
    asked = Dump(loop, endpoint, proof, args.timeout)
    outcome: list[object] = []

    def stop(result: object) -> None:
        outcome.append(getattr(result, "value", result))
        loop.callLater(0, loop.stop)

    loop.callWhenRunning(lambda: asked.start().addBoth(stop))
    loop.run()
    [result] = outcome or [KeyboardInterrupt()]
    if isinstance(result, BaseException):
        raise result
    value = _value(asked, PROFILES[args.profile])
    tell(value, args.json, *_lines(value))
    return DONE


def _value(found: Dump, dialect: Dialect) -> dict[str, Any]:
    return {
        "registrar": f"{found.registrar:#010x}",
        "peers": [
            {"server-id": f"{one.identifier:#010x}",
             "transport": shown.transport(one.transport)}
            for one in found.peers
        ],
        "pools": [
            {**described(handle), "policy": shown.policy(elements[0].policy)["name"],
             "elements": [shown.element(element, dialect) for element in elements]}
            for handle, elements in sorted(found.pools.items())
        ],
    }  # fmt: skip


def _count(things: Sized, name: str) -> str:
    count = len(things)
    return f"{count} {name}{'s' * (count != 1)}"


def _lines(value: dict[str, Any]) -> list[str]:
    elements = sum(len(pool["elements"]) for pool in value["pools"])
    lines = [
        f"registrar {value['registrar']}, which knows {_count(value['peers'], 'other')}: "
        f"{_count(value['pools'], 'pool')}, {_count(range(elements), 'element')}"
    ]
    for peer in value["peers"]:
        where = peer["transport"]
        lines.append(f"  registrar {peer['server-id']}  {','.join(where['addresses'])} "
                     f"port {where['port']}")  # fmt: skip
    for pool in value["pools"]:
        name = pool.get("pool") or f"hex:{pool['pool-hex']}"
        lines += ["", f"{name}: {_count(pool['elements'], 'element')}, {pool['policy']}"]
        lines += [f"  {shown.line(one)}" for one in pool["elements"]]
    return lines
