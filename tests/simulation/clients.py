"""Pool elements' and users' machines: the real client library on a simulated reactor."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError  # noqa: A004
from twisted.python.failure import Failure

from rserpool.client.element import Membership
from rserpool.client.events import Notice, What
from rserpool.client.pool_element import PoolElement
from rserpool.client.pool_user import PoolUser
from rserpool.client.resolution import Resolution
from rserpool.client.security import Plain
from rserpool.wire.policies import Policy
from tests.simulation.clock import Local
from tests.simulation.network import Dialling, End, Host, Receiver

if TYPE_CHECKING:
    from tests.simulation.world import World


class Transport:
    """What a connection's protocol sees of it."""

    def __init__(self, end: End) -> None:
        self._end = end
        self.write = end.write
        self.loseConnection = end.close
        self.abortConnection = end.abort

    def getHost(self) -> IPv4Address:
        """This side."""
        return IPv4Address("TCP", self._end.host.address, self._end.port)

    def getPeer(self) -> IPv4Address:
        """The other side."""
        return IPv4Address("TCP", self._end.other.host.address, self._end.other.port)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Nobody here sends more than there is room for."""

    def unregisterProducer(self) -> None:
        """As above."""

    def pauseProducing(self) -> None:
        """As above."""

    def resumeProducing(self) -> None:
        """As above."""


class Wire:
    """Gives a protocol what comes by its connection."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self.received = protocol.dataReceived

    def ended(self, why: str) -> None:
        """It is over."""
        clean = why.startswith("closed")
        self._protocol.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))


class Connector:
    """What Twisted gives who has called."""

    def __init__(self, address: IPv4Address) -> None:
        self._address = address
        self.dialling: Dialling | None = None

    def getDestination(self) -> IPv4Address:
        """Who was called."""
        return self._address

    def stopConnecting(self) -> None:
        """Give it up."""
        if self.dialling is not None:
            self.dialling.cancel()


class Reactor:
    """What the client library needs of a reactor, on one machine."""

    def __init__(self, world: "World", host: Host, local: Local) -> None:
        self._world = world
        self._host = host
        self.local = local
        self.seconds = local.seconds
        self.callLater = local.callLater
        self.ends: list[End] = []

    def connectTCP(
        self,
        address: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,  # noqa: N803 - Twisted's name
    ) -> Connector:
        """Call a registrar."""
        where = IPv4Address("TCP", address, port)
        connector = Connector(where)
        factory.doStart()
        factory.startedConnecting(connector)

        def opened(end: End) -> Receiver:
            protocol = factory.buildProtocol(where)
            protocol.makeConnection(Transport(end))
            return Wire(protocol)

        def failed(why: str) -> None:
            factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))

        connector.dialling = self._world.network.dial(
            self._host, address, port, opened, failed,
            secure=self._world.secure, keepalive=True,
        )  # fmt: skip
        return connector


def endpoint(reactor: Any, description: str, timeout: float, *_: object) -> TCP4ClientEndpoint:
    """Take the place of Twisted's parser, which looks for plugins in files each time."""
    _, host, port = description.split(":")
    return TCP4ClientEndpoint(reactor, host, int(port), timeout)


class Client:
    """
    A client's machine.

    :ivar quiet_since: since when nothing has stood between it and a registrar.
    """

    def __init__(self, world: "World", host: Host) -> None:
        self.world = world
        self.host = host
        self.name = host.name
        self.reactor = self._reactor()
        self._starts = 0

    def note(self, words: str) -> None:
        """Put something into the trace."""
        self.world.trace.add(self.world.clock.now, self.name, words)

    def chance(self) -> Random:
        """A source of chance for a new process."""
        self._starts += 1
        return Random(f"{self.world.seed} {self.name} {self._starts}")

    def _reactor(self) -> Reactor:
        return Reactor(self.world, self.host, self.world.local(self.name))

    def _told(self, notice: Notice) -> None:
        if notice.what is not What.RENEWED:
            self.note(f"{notice.what.value} {notice.words}")


class ElementNode(Client):
    """
    One pool element's machine.

    :ivar running: its process runs.
    :ivar wanted: it wants to be in its pool.
    :ivar gone: when it died, or had left.
    :ivar since: when its process began.
    :ivar changed: when its attributes changed last.
    """

    def __init__(self, world: "World", host: Host, membership: Membership) -> None:
        super().__init__(world, host)
        self.membership = membership
        self.running = self.wanted = False
        self.since = self.changed = 0.0
        self.gone: float | None = None
        self.pool_element: PoolElement | None = None

    @property
    def key(self) -> tuple[bytes, int]:
        """What it is known by."""
        return self.membership.handle, self.membership.identifier

    @property
    def end(self) -> End | None:
        """Its end of the connection with its home."""
        home = self.pool_element and self.pool_element._link._home
        if not home or home.connection is None:
            return None
        return home.connection.transport._end

    def start(self) -> None:
        """Start the process and join the pool."""
        if not self.host.up:
            self.world.network.power_on(self.host)
        self.reactor = self._reactor()
        self.running = self.wanted = True
        self.since = self.changed = self.world.clock.now
        self.gone = None
        self.note(f"joins {self.membership.handle!r} as {self.membership.identifier:#x}")
        self.pool_element = PoolElement(
            self.reactor,
            self.world.asap_targets(),
            Plain(),
            self.membership,
            notify=self._told,
            rng=self.chance(),
        )
        self.pool_element.start().addErrback(lambda failure: None)

    def update(self, policy: Policy, life: int) -> None:
        """Register again with other attributes."""
        assert self.pool_element is not None
        self.changed = self.world.clock.now
        self.membership = attrs.evolve(self.membership, policy=policy, life=life)
        self.note(f"changes to {policy}, life {life}")
        self.pool_element.update(self.membership)

    def leave(self) -> None:
        """Leave the pool and end."""
        assert self.pool_element is not None
        self.note("leaves")
        self.wanted = False
        self.pool_element.stop().addBoth(lambda _: self._left())

    def stop(self, *, power: bool) -> None:
        """The process is killed, or (`power`) the machine dies."""
        self.note("dies" if power else "is killed")
        self.reactor.local.stop()
        if power:
            self.world.network.power_off(self.host)
        else:
            self.world.network.kill(self.host)
        self.wanted = False
        self._left()

    def _left(self) -> None:
        if self.running:
            self.running = False
            self.pool_element = None
            self.gone = self.world.clock.now


class UserNode(Client):
    """
    One pool user's machine: it watches a pool and resolves others now and then.

    :ivar seen: what it knows of the pool that it watches.
    """

    def __init__(self, world: "World", host: Host, handle: bytes) -> None:
        super().__init__(world, host)
        self.handle = handle
        self.seen: Resolution | None = None
        self.answers = 0
        self.user = PoolUser(
            self.reactor,
            world.asap_targets(),
            Plain(),
            notify=self._told,
            rng=self.chance(),
        )

    def start(self) -> None:
        """Watch."""
        self.user.watch(self.handle, self._changed)

    def resolve(self, handle: bytes, answered: Callable[[Resolution], None]) -> None:
        """Ask who is in a pool."""

        def got(resolution: Resolution) -> None:
            self.answers += 1
            answered(resolution)

        self.user.resolve(handle).addCallbacks(got, lambda failure: None)

    def report(self, handle: bytes, identifier: int) -> None:
        """Say that an element can't be reached."""
        self.note(f"reports {identifier:#x} of {handle!r}")
        self.user.report(handle, identifier)

    def _changed(self, resolution: Resolution) -> None:
        self.seen = resolution
