"""A registrar with peers around it, on a clock that only the test turns."""

import random
from ipaddress import ip_address

from zope.interface import implementer

from rserpool.handlespace.handlespace import Handlespace, Limits
from rserpool.registrar.effects import Audit, Close, Effect, Reach, Send, SetTimer
from rserpool.registrar.events import Channel, Protocol
from rserpool.registrar.registrar import Registrar
from rserpool.registrar.settings import Settings
from rserpool.security.decisions import (
    ALLOW,
    NO_RESTRICTIONS,
    Decision,
    Proof,
    Request,
    Restrictions,
    Subject,
    deny,
)
from rserpool.security.interfaces import IGate
from rserpool.wire import asap
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import PoolElement, TCPTransport
from rserpool.wire.policies import Policy, RoundRobin

SERVER_ID = 0x5E12BE12


@implementer(IGate)
class ListGate:
    """Denies what it is told to deny, and remembers what it was asked."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.asked: list[tuple[str, str, bytes | None]] = []

    def ask(self, subject: Subject, request: Request, now: float) -> Decision:
        """Allow all but what `denied` holds."""
        self.asked.append((subject.name, request.permission, request.pool))
        return deny("told to") if request.permission in self.denied else ALLOW


class Scene:
    """One registrar, its time, and what it sent to whom."""

    def __init__(
        self,
        settings: Settings | None = None,
        limits: Limits | None = None,
        gate: IGate | None = None,
    ) -> None:
        self.gate = gate or ListGate()
        self.settings = settings or Settings()
        self.registrar = Registrar(
            SERVER_ID,
            self.settings,
            Handlespace(limits or Limits(), random.Random(1), self.settings.interop.life_unit),
            self.gate,
            random.Random(2),
        )
        self.now = 1000.0
        self.timers: dict[str, float] = {}
        self.sent: dict[Channel, list[object]] = {}
        self.audits: list[Audit] = []
        self.closed: list[Close] = []
        self.reached: list[Reach] = []

    def channel(
        self,
        name: str = "web-1",
        proof: Proof = Proof.PSK,
        address: str = "127.0.0.1",
        restrictions: Restrictions = NO_RESTRICTIONS,
    ) -> Channel:
        """A new connection of `name`."""
        subject = Subject(name, proof, address, restrictions=restrictions)
        channel = Channel(Protocol.ASAP, subject, frozenset({ip_address(address)}), 4711)
        self.sent[channel] = []
        return channel

    def tell(self, channel: Channel, *messages: object) -> list[object]:
        """Send messages by `channel`; what came back by it at once."""
        before = len(self.sent[channel])
        encoded = [m if isinstance(m, bytes) else asap.encode(m) for m in messages]
        self.perform(self.registrar.arrived(channel, encoded, self.now))
        return self.sent[channel][before:]

    def register(
        self, channel: Channel, identifier: int = 1, handle: bytes = b"web", **fields: object
    ) -> asap.RegistrationResponse:
        """Register an element and give back the answer."""
        [answer] = self.tell(channel, registration(identifier, handle, **fields))
        assert isinstance(answer, asap.RegistrationResponse)
        return answer

    def resolve(
        self, channel: Channel, handle: bytes = b"web", items: int | None = None
    ) -> asap.HandleResolutionResponse:
        """Resolve a handle and give back the answer."""
        [answer] = self.tell(
            channel, asap.HandleResolution(subscribe=False, handle=handle, items=items)
        )
        assert isinstance(answer, asap.HandleResolutionResponse)
        return answer

    def members(self, handle: bytes = b"web") -> set[int]:
        """Who is in the pool."""
        pool = self.registrar.handlespace.pools.get(handle)
        return set(pool.elements) if pool else set()

    def lose(self, channel: Channel) -> None:
        """The connection ends."""
        self.perform(self.registrar.lost(channel, self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass and ring what falls due, in order."""
        end = self.now + seconds
        while self.timers:
            name = min(self.timers, key=self.timers.__getitem__)
            when = self.timers[name]
            if when > end:
                break
            del self.timers[name]
            self.now = max(self.now, when)
            self.perform(self.registrar.rang(name, self.now))
        self.now = end

    def perform(self, effects: list[Effect]) -> None:
        """Do as the driver does."""
        for effect in effects:
            if isinstance(effect, Send):
                messages = Splitter().feed(effect.data)
                self.sent[effect.channel] += [asap.decode(m).message for m in messages]
            elif isinstance(effect, SetTimer):
                self.timers[effect.name] = self.now + effect.seconds
            elif isinstance(effect, Audit):
                self.audits.append(effect)
            elif isinstance(effect, Close):
                self.closed.append(effect)
            elif isinstance(effect, Reach):
                self.reached.append(effect)


def registration(
    identifier: int = 1,
    handle: bytes = b"web",
    *,
    life: int = 300,
    policy: Policy | None = None,
    address: str = "127.0.0.1",
    home: int = 0,
    **fields: object,
) -> asap.Registration:
    """A registration of a TCP server."""
    transport = TCPTransport(port=8000 + identifier % 50000, addresses=(ip_address(address),))
    element = PoolElement(
        identifier=identifier,
        home=home,
        life=life,
        user_transport=fields.pop("transport", transport),
        policy=policy or RoundRobin(),
        **fields,
    )
    return asap.Registration(handle=handle, element=element)
