"""One world: its machines, what befalls them, and how long it is watched."""

import contextlib
from collections.abc import Iterator
from ipaddress import ip_address
from random import Random
from typing import Any
from unittest import mock

import attrs

from rserpool.client.element import Membership
from rserpool.handlespace.element import Element
from rserpool.registrar.events import Protocol
from rserpool.registrar.settings import Settings
from rserpool.transport import endpoints
from rserpool.wire import policies
from rserpool.wire.parameters import TCPTransport
from tests.simulation import registrars
from tests.simulation.clients import ElementNode, UserNode, endpoint
from tests.simulation.clock import Clock, Local
from tests.simulation.network import Host, Network
from tests.simulation.registrars import RegistrarNode
from tests.simulation.times import Stated
from tests.simulation.trace import Trace

#: Server IDs are drawn from a small range now and then, as people number their registrars.
SMALL = 100


@attrs.frozen(kw_only=True)
class Plan:
    """
    What a seed makes of a world; see `planned`.

    :ivar registrars: how many there are at first, and `late` more come later.
    :ivar mesh: each registrar is told of all others; else of the first one, or of one other.
    :ivar faults: which kinds of faults there are, and how often each comes in proportion.
    :ivar pause: seconds between two faults, on average.
    :ivar active: seconds in which there are faults.
    """

    secure: bool
    registrars: int
    late: int
    elements: int
    pools: int
    users: int
    mesh: bool
    small_identifiers: bool
    settings: Settings
    loss: float
    faults: dict[str, float]
    pause: float
    active: float

    @property
    def breaks(self) -> bool:
        """Whether connections break though both sides live."""
        return any(kind in _BREAKS for kind in self.faults)


#: What befalls a world, by its character.
_CHURN = {
    "join": 3.0, "leave": 2.0, "element-killed": 2.0, "element-died": 1.0, "change": 4.0,
    "resolve": 4.0, "report": 0.5,
}  # fmt: skip
_CRASHES = {"killed": 2.0, "died": 1.0, "killed-anew": 2.0, "died-anew": 1.0}
_BREAKS = {
    "reset-asap": 3.0, "reset-enrp": 3.0, "partition": 2.0, "silence": 2.0,
    "element-cut": 2.0, "element-silence": 2.0, "slow": 1.0,
}  # fmt: skip
CHARACTERS = {
    "churn": _CHURN,
    "crashes": {**_CHURN, **_CRASHES},
    "breaks": {**_CHURN, **_BREAKS},
    "all": {**_CHURN, **_CRASHES, **_BREAKS},
}


def planned(seed: int) -> Plan:
    """Draw a world."""
    chance = Random(f"{seed} plan")
    heartbeat = 2.0 + 3.0 * chance.random()
    answer = 1.0 + chance.random()
    settings = Settings(
        keep_alive_interval=2.5 + 2.5 * chance.random(),
        keep_alive_timeout=1.5 + chance.random(),
        peer_heartbeat_cycle=heartbeat,
        max_time_last_heard=2 * heartbeat + 1.0 + 2 * chance.random(),
        max_time_no_response=answer,
        # Longer than an element needs to notice that the machine of its home has died.
        rehome_timeout=45.0 + 15.0 * chance.random(),
        takeover_suggestion=chance.random() < 0.25,
    )
    count = chance.choice((2, 2, 3, 3, 3, 4, 5))
    character = chance.choice(("churn", "crashes", "breaks", "all", "all"))
    return Plan(
        secure=chance.random() < 0.75,
        registrars=count,
        late=chance.choice((0, 0, 0, 1)),
        elements=chance.choice((5, 8, 8, 12, 12, 16, 40)),
        pools=chance.randint(1, 4),
        users=chance.randint(1, 3),
        mesh=chance.random() < 0.7,
        small_identifiers=chance.random() < 0.3,
        settings=settings,
        loss=chance.choice((0.0, 0.0, 0.02)),
        faults=CHARACTERS[character],
        pause=2.0 + 6.0 * chance.random(),
        active=60.0 + 60.0 * chance.random(),
    )


class World:
    """
    Everything there is.

    :ivar messages: how many messages have arrived, by protocol and type.
    """

    def __init__(self, seed: int, plan: Plan | None = None, *, most: int | None = None) -> None:
        self.seed = seed
        self.plan = plan or planned(seed)
        self.settings = self.plan.settings
        self.secure = self.plan.secure
        self.stated = Stated(self.settings)
        self.chance = Random(f"{seed} world")
        self.clock = Clock()
        self.trace = Trace(most)
        self.network = Network(
            self.clock, Random(f"{seed} network"), loss=self.plan.loss,
        )  # fmt: skip
        self.messages: dict[tuple[Protocol, int], int] = {}
        self.audits: dict[str, int] = {}
        self.registrars: list[RegistrarNode] = []
        self.elements: list[ElementNode] = []
        self.users: list[UserNode] = []
        self._numbers = 0
        self._identifiers: set[int] = set()
        for index in range(self.plan.registrars + self.plan.late):
            host = self.network.host(f"r{index}", f"10.0.0.{index + 1}")
            self.registrars.append(RegistrarNode(self, index, host, self._targets(index)))
        self.pools = [self._pool(number) for number in range(self.plan.pools)]

    def number(self) -> int:
        """A number that nothing else has."""
        self._numbers += 1
        return self._numbers

    def note(self, words: str) -> None:
        """Put something into the trace."""
        self.trace.add(self.clock.now, "world", words)

    def local(self, name: str) -> Local:
        """The clock of a machine."""
        return registrars.local(self, name)

    def counted(self, protocol: Protocol, messages: list[bytes]) -> None:
        """These have arrived at a registrar."""
        counts = self.messages
        for data in messages:
            key = protocol, data[0]
            counts[key] = counts.get(key, 0) + 1

    def asap_targets(self) -> list[str]:
        """How clients call the registrars, the late ones included."""
        return [f"tcp:{node.host.address}:{registrars.ASAP}" for node in self.registrars]

    def alive(self) -> list[RegistrarNode]:
        """The registrars whose process runs."""
        return [node for node in self.registrars if node.alive]

    def registrar_at(self, host: Host) -> RegistrarNode:
        """Whose machine this is."""
        return next(node for node in self.registrars if node.host is host)

    def former_identifiers(self) -> set[int]:
        """Server IDs that a registrar has had, and none has now."""
        return self._identifiers - {node.identifier for node in self.alive()}

    def identifier(self) -> int:
        """A server ID that no registrar has or had."""
        while True:
            if self.plan.small_identifiers:
                found = self.chance.randint(1, SMALL)
            else:
                found = self.chance.randint(1, 0xFFFFFFFF)
            if found not in self._identifiers:
                self._identifiers.add(found)
                return found

    def policy(self, handle: bytes) -> Any:
        """A policy as an element of this pool may have it, with attributes of its own."""
        kind = self.pools[int(handle[4:])]
        fields = {
            field.name: self.chance.randint(1, 20)
            for field in attrs.fields(kind)
            if field.name != "NUMBER"
        }
        return kind(**fields)

    def life(self) -> int:
        """A registration life in seconds."""
        return self.chance.choice((-1, 20, 30, 45, 60, 120, 300))

    def element(self) -> ElementNode:
        """One more element, not yet started."""
        number = len(self.elements) + 1
        host = self.network.host(f"e{number}", f"10.1.{number >> 8}.{number & 255}")
        handle = b"pool%d" % self.chance.randrange(len(self.pools))
        membership = Membership(
            handle=handle,
            identifier=self.chance.randint(1, 0xFFFF) << 8 | number & 255,
            life=self.life(),
            transport=TCPTransport(port=80, addresses=(ip_address(host.address),)),
            policy=self.policy(handle),
        )
        node = ElementNode(self, host, membership)
        self.elements.append(node)
        return node

    def populate(self) -> None:
        """Start the registrars, then everybody else, all within the first seconds."""
        chance, at = self.chance, self.clock.at
        for node in self.registrars[: self.plan.registrars]:
            at(chance.random() * chance.choice((0.01, 3.0)), node.start, self.identifier())
        for node in self.registrars[self.plan.registrars :]:
            at(10.0 + chance.random() * self.plan.active, self._late, node)
        for _ in range(self.plan.elements):
            at(5.0 * chance.random(), self.element().start)
        for number in range(self.plan.users):
            host = self.network.host(f"u{number}", f"10.2.0.{number + 1}")
            handle = b"pool%d" % chance.randrange(len(self.pools))
            user = UserNode(self, host, handle)
            self.users.append(user)
            at(5.0 * chance.random(), user.start)

    def _late(self, node: RegistrarNode) -> None:
        if not node.alive:
            node.start(self.identifier())

    def _pool(self, number: int) -> type:
        kinds = (
            policies.RoundRobin, policies.WeightedRoundRobin, policies.LeastUsed,
            policies.Random, policies.WeightedRandom,
        )  # fmt: skip
        return kinds[self.chance.randrange(len(kinds))]

    def _targets(self, index: int) -> list[str]:
        """The registrars that one is told of."""
        count = self.plan.registrars + self.plan.late
        if self.plan.mesh:
            others = [other for other in range(count) if other != index]
        else:
            # all in one piece: each knows one that was there before
            others = [self.chance.randrange(index)] if index else []
        chance = self.chance.random()
        named = [f"r{other}=" if chance < 0.3 else "" for other in others]
        return [
            f"{name}tcp:10.0.0.{other + 1}:{registrars.ENRP}"
            for name, other in zip(named, others, strict=True)
        ]


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Make the order of sets the same in each run, and endpoints without seeking plugins."""
    with (
        mock.patch.object(Element, "__hash__", lambda element: element.identifier),
        mock.patch.object(endpoints, "client", endpoint),
    ):
        yield
