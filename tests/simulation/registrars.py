"""A registrar's machine: its core, and what the driver does for it, on a simulated network."""

from collections.abc import Callable
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from rserpool.handlespace.handlespace import Handlespace, Limits
from rserpool.registrar import effects
from rserpool.registrar.events import Channel, Protocol
from rserpool.registrar.registrar import Registrar
from rserpool.security.decisions import ALLOW, Decision, Proof, Request, Subject
from rserpool.security.gate import Gate
from rserpool.security.proven import AllowProven
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import TCPTransport
from tests.simulation.clock import Event, Local
from tests.simulation.network import Dialling, End, Host, Receiver

if TYPE_CHECKING:
    from tests.simulation.world import World

ASAP, ENRP = 3863, 9901
#: Seconds that the driver gives a call to another registrar.
CALL_TIMEOUT = 10.0


class Boundless:
    """No limit of rates: those of the limits' own tests aren't meant here."""

    def spend(self, subject: Subject, request: Request, now: float) -> Decision:
        """Grant it."""
        return ALLOW


@attrs.define(eq=False)
class Numbered(Channel):
    """A channel whose hash is the same in each run, and so is the order of sets of them."""

    number: int = 0

    def __hash__(self) -> int:
        return self.number


class Line:
    """One connection of a registrar, and its channel."""

    def __init__(self, node: "RegistrarNode", end: End, channel: Numbered) -> None:
        self.node = node
        self.end = end
        self.channel = channel
        self._splitter = Splitter()

    def received(self, data: bytes) -> None:
        """Cut it into messages and have them served."""
        messages = self._splitter.feed(data)
        if messages:
            self.node.arrived(self, messages, data)

    def ended(self, why: str) -> None:
        """It is over."""
        self.node.lost(self, why)


class RegistrarNode:
    """
    One registrar's machine.

    :ivar core: the registrar, while its process runs.
    :ivar identifier: its server ID, or the last one it had.
    :ivar serving: pool elements and users are let in.
    :ivar since: when its process began.
    :ivar dials: calls to others that it has made.
    """

    def __init__(self, world: "World", index: int, host: Host, targets: list[str]) -> None:
        self.world = world
        self.index = index
        self.host = host
        self.name = host.name
        self.targets = targets
        self.core: Registrar | None = None
        self.identifier = 0
        self.serving = False
        self.since = 0.0
        self.served_since = 0.0
        self.dials = 0
        self.lines: dict[Channel, Line] = {}
        self._local = world.local(host.name)
        self._timers: dict[str, Event] = {}
        self._dialling: list[Dialling] = []
        self._starts = 0
        self._performers: dict[type, Callable[[Any], None]] = {
            effects.Send: self._send,
            effects.Close: self._close,
            effects.SetTimer: self._set_timer,
            effects.CancelTimer: self._cancel_timer,
            effects.Announce: lambda effect: None,
            effects.Audit: self._audit,
            effects.Dial: self._dial,
            effects.Reach: self._reach,
            effects.Serve: self._serve,
        }

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.core is not None

    def start(self, identifier: int) -> None:
        """Start the process."""
        self.host.up or self.world.network.power_on(self.host)
        self._starts += 1
        self.identifier = identifier
        self.since = self.world.clock.now
        chance = [
            Random(f"{self.world.seed} {self.name} {self._starts} {what}") for what in range(2)
        ]
        self._local = self.world.local(self.name)
        transport = TCPTransport(port=ENRP, addresses=(ip_address(self.host.address),))
        core = self.core = Registrar(
            identifier,
            attrs.evolve(self.world.settings, enrp_transport=transport),
            Handlespace(Limits(), chance[0]),
            Gate(AllowProven(), Boundless(), required=self.world.secure),
            chance[1],
            targets=self.targets,
        )
        self.note(f"starts as {identifier:#010x}")
        self.host.listeners[ASAP] = self._accept_asap
        self.host.listeners[ENRP] = self._accept_enrp
        self._step(core.start)

    def stop(self, *, power: bool) -> None:
        """The process is killed, or (`power`) the machine dies."""
        self.note("dies" if power else "is killed")
        self.core = None
        self.serving = False
        self._local.stop()
        self._timers.clear()
        for dialling in self._dialling:
            dialling.cancel()
        self._dialling.clear()
        self.lines.clear()
        if power:
            self.world.network.power_off(self.host)
        else:
            self.world.network.kill(self.host)

    def arrived(self, line: Line, messages: list[bytes], data: bytes) -> None:
        """Messages have come."""
        channel = line.channel
        self.world.counted(channel.protocol, messages)
        self.world.trace.add(
            self.world.clock.now, self.name,
            ("<-", channel.protocol.value, line.end.other.host.name, data),
        )  # fmt: skip
        assert self.core is not None
        self._perform(self.core.arrived(channel, messages, self._local.seconds()))

    def lost(self, line: Line, why: str) -> None:
        """A connection is over."""
        if self.lines.pop(line.channel, None) is None or self.core is None:
            return
        self.note(f"has lost {line.channel.protocol.value} {line.end.other.host.name}: {why}")
        self._perform(self.core.lost(line.channel, self._local.seconds()))

    def note(self, words: str) -> None:
        """Put something into the trace."""
        self.world.trace.add(self.world.clock.now, self.name, words)

    def peer_lines(self) -> list[Line]:
        """Its connections with other registrars."""
        return [line for line in self.lines.values() if line.channel.protocol is Protocol.ENRP]

    def _step(self, event: Callable[..., list[effects.Effect]], *arguments: Any) -> None:
        self._perform(event(*arguments, self._local.seconds()))

    def _perform(self, wanted: list[effects.Effect]) -> None:
        for effect in wanted:
            self._performers[effect.__class__](effect)

    def _line(self, protocol: Protocol, end: End, **fields: Any) -> Line:
        """A channel for a new connection, whose other side has proven its name."""
        other = end.other.host
        proof = Proof.PSK if self.world.secure else Proof.PLAIN
        subject = Subject(other.name if self.world.secure else "plain", proof, other.address)
        channel = Numbered(
            protocol=protocol,
            subject=subject,
            addresses=frozenset({ip_address(other.address)}),
            port=end.other.port,
            local=ip_address(self.host.address),
            number=self.world.number(),
            **fields,
        )
        line = self.lines[channel] = Line(self, end, channel)
        return line

    def _accept_asap(self, end: End) -> Receiver:
        line = self._line(Protocol.ASAP, end)
        if not self.serving:
            del self.lines[line.channel]
            end.close()
        return line

    def _accept_enrp(self, end: End) -> Receiver:
        line = self._line(Protocol.ENRP, end)
        self.note(f"is called by {end.other.host.name}")
        assert self.core is not None
        self._step(self.core.connected, line.channel)
        return line

    # Effects

    def _send(self, effect: effects.Send) -> None:
        line = self.lines.get(effect.channel)
        if line is not None:
            protocol, other = effect.channel.protocol.value, line.end.other.host.name
            self.world.trace.add(
                self.world.clock.now, self.name, ("->", protocol, other, effect.data)
            )
            line.end.write(effect.data)

    def _close(self, effect: effects.Close) -> None:
        line = self.lines.get(effect.channel)
        if line is not None:
            self.note(f"closes {line.end.other.host.name}: {effect.reason}")
            line.end.close()

    def _set_timer(self, effect: effects.SetTimer) -> None:
        self._cancel_timer(effect)
        self._timers[effect.name] = self._local.callLater(
            effect.seconds, self._rang, effect.name
        )

    def _cancel_timer(self, effect: "effects.SetTimer | effects.CancelTimer") -> None:
        timer = self._timers.pop(effect.name, None)
        if timer is not None:
            timer.cancel()

    def _rang(self, name: str) -> None:
        del self._timers[name]
        assert self.core is not None
        self._step(self.core.rang, name)

    def _audit(self, effect: effects.Audit) -> None:
        who = "" if effect.subject is None else f" of {effect.subject.name}"
        which = "" if effect.identifier is None else f" {effect.identifier:#x}"
        self.note(f"audit: {effect.what}{which}{who}: {effect.outcome}")
        self.world.audits[effect.what] = self.world.audits.get(effect.what, 0) + 1

    def _serve(self, effect: effects.Serve) -> None:
        self.note("serves")
        self.serving = True
        self.served_since = self.world.clock.now

    def _dial(self, effect: effects.Dial) -> None:
        target = effect.target
        self.note(f"dials {target}")
        self.dials += 1
        _, address, port = target.rpartition("=")[2].split(":")[:3]

        def opened(end: End) -> Receiver:
            self._dialling.remove(dialling)
            timeout.cancel()
            line = self._line(Protocol.ENRP, end, dialled=target)
            assert self.core is not None
            self._step(self.core.connected, line.channel)
            return line

        def failed(why: str) -> None:
            if dialling in self._dialling:
                self._dialling.remove(dialling)
                dialling.cancel()
                timeout.cancel()
                self.note(f"can't reach {target}: {why}")
                assert self.core is not None
                self._step(self.core.unreachable, target)

        timeout = self._local.callLater(CALL_TIMEOUT, failed, "no answer")
        dialling = self.world.network.dial(
            self.host, address, int(port), opened, failed, secure=self.world.secure
        )
        self._dialling.append(dialling)

    def _reach(self, effect: effects.Reach) -> None:
        self.note(f"reaches for {effect.element[1]:#x} of {effect.element[0]!r}")
        addresses = getattr(effect.transport, "addresses", ())

        def opened(end: End) -> Receiver:
            line = self._line(Protocol.ASAP, end, reaches=effect.element)
            self._send(effects.Send(line.channel, effect.data))
            return line

        if addresses:
            dialling = self.world.network.dial(
                self.host, str(addresses[0]), effect.transport.port, opened,
                lambda why: self._dialling.remove(dialling), secure=False,
            )  # fmt: skip
            self._dialling.append(dialling)


def local(world: "World", name: str) -> Local:
    """The clock of a machine: the same one after each start."""
    chance = Random(f"{world.seed} clock of {name}")
    drift = 0.001 * 10.0 ** chance.random() * chance.choice((-1, 1))
    return Local(world.clock, 1.0 + drift, 1_000_000.0 * chance.random())
