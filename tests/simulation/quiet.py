"""The rules that must hold when nothing has befallen a world for the stated time."""

from rserpool.registrar.events import Protocol
from rserpool.wire import enrp
from tests.simulation.invariants import Invariants
from tests.simulation.memory import held
from tests.simulation.registrars import RegistrarNode
from tests.simulation.rules import Violation, difference, entries, shown, shown_all

#: Entries that a container may have beside those for elements, connections and registrars:
#: timers by name, pools, resolutions that are remembered.
ROOM = 24
#: The shortest registration life there is, renewed after two thirds of it.
SHORTEST_LIFE = 20


class Quiet:
    """Looks at a world that has come to rest."""

    def __init__(self, watch: Invariants) -> None:
        self.watch = watch
        self.world = watch.world
        self._before = dict(self.world.messages)
        self._dials = self._dialled()
        self._began = self.world.clock.now

    def check(self) -> None:
        """Look at everything."""
        alive = self.world.alive()
        self._little_is_said(alive)
        self._all_meet(alive)
        self._all_agree(alive)
        self._all_are_registered(alive)
        self._watchers_know(alive)
        for node in alive:
            self._nothing_is_left(node)

    def _dialled(self) -> int:
        return sum(node.dials for node in self.world.registrars)

    def _little_is_said(self, alive: list[RegistrarNode]) -> None:
        """Nobody says more than heartbeats and renewals, and only the dead are called."""
        seconds = self.world.clock.now - self._began
        count, dead = len(alive), len(self.world.registrars) - len(alive)
        dials = self._dialled() - self._dials
        if dials > dead * count * (seconds / 10 + 1):
            raise Violation(f"{dials} calls to other registrars in {seconds:.0f} s of quiet")
        heartbeats = seconds / self.world.settings.peer_heartbeat_cycle + 1
        living = sum(node.running for node in self.world.elements)
        renewals = living * (seconds / (SHORTEST_LIFE * 2 / 3) + 1)
        bounds = {
            enrp.Presence: count * (count - 1) * heartbeats,
            enrp.HandleUpdate: (count - 1) * renewals,
        }
        for number, message in enrp.ENRP.classes.items():
            key = Protocol.ENRP, number
            said = self.world.messages.get(key, 0) - self._before.get(key, 0)
            if said > bounds.get(message, 0) * 1.02:
                raise Violation(
                    f"{said} {message.__name__} in {seconds:.0f} s of quiet; "
                    f"{bounds.get(message, 0):.0f} would be many"
                )

    def _all_meet(self, alive: list[RegistrarNode]) -> None:
        """All serve; each two have one connection, and know each other as active."""
        known = {node.identifier for node in alive}
        for a in alive:
            if not (a.serving and a.core.serving):
                raise Violation(f"{a.name} doesn't serve, in all quiet")
            peers = {peer.identifier: peer for peer in a.core.peers}
            for b in alive:
                if a is b:
                    continue
                if (a, b) not in self.watch.connected:
                    raise Violation(f"{a.name} and {b.name} aren't connected, in all quiet")
                lines = [line for line in a.peer_lines() if line.end.other.host is b.host]
                if len(lines) != 1:
                    raise Violation(f"{a.name} has {len(lines)} connections with {b.name}")
                peer = peers.get(b.identifier)
                if peer is None or peer.state != "active" or not peer.synchronized:
                    raise Violation(f"{a.name} thinks of {b.name}: {peer}")
            ghosts = peers.keys() - known
            if ghosts:
                raise Violation(f"{a.name} still lists {shown_all(ghosts)}, in all quiet")

    def _all_agree(self, alive: list[RegistrarNode]) -> None:
        """All handlespaces are the same, and so are all checksums."""
        expected = entries(alive[0])
        for node in alive[1:]:
            found = entries(node)
            if found != expected:
                words = difference(expected, found)
                raise Violation(f"{alive[0].name} and {node.name} differ: {words}")
        for a in alive:
            for b in alive:
                here = a.core.handlespace.checksum(b.identifier)
                there = b.core.handlespace.checksum(b.identifier)
                if here != there:
                    raise Violation(f"{b.name}: {here:#x} at {a.name}, {there:#x} there")
            for peer in a.core.peers:
                if peer.theirs != peer.ours:
                    raise Violation(f"{a.name} has {peer}")

    def _all_are_registered(self, alive: list[RegistrarNode]) -> None:
        """Exactly those that want to be are in their pools, as they are, at a living home."""
        known = entries(alive[0])
        running = [node for node in self.world.elements if node.running and node.wanted]
        for element in running:
            where = f"{shown(element.key)} ({element.name})"
            home = self.watch.home(element)
            if home is None:
                raise Violation(f"{where} isn't registered, in all quiet")
            if element.key not in known:
                raise Violation(f"{where} is registered at {home.name}, and unknown")
            if known[element.key][0] != home.identifier:
                raise Violation(
                    f"{where} is registered at {home.name}, and known to be at "
                    f"{known[element.key][0]:#010x}"
                )
        for key in known.keys() - {element.key for element in running}:
            raise Violation(f"{shown(key)} is gone, and known, in all quiet")

    def _watchers_know(self, alive: list[RegistrarNode]) -> None:
        """Pool users that watch a pool know who is in it."""
        known = entries(alive[0])
        for user in self.world.users:
            expected = {identifier for handle, identifier in known if handle == user.handle}
            seen = user.seen
            found = set() if seen is None else {each.identifier for each in seen.elements}
            if found != expected or seen is None:
                raise Violation(
                    f"{user.name} watches {user.handle!r} and sees {shown_all(found)} "
                    f"instead of {shown_all(expected)}"
                )

    def _nothing_is_left(self, node: RegistrarNode) -> None:
        """Nothing is remembered of connections, elements and registrars that are gone."""
        holding, handlespace = held(node.core), node.core.handlespace
        over = [channel for channel in holding.channels if channel not in node.lines]
        if over:
            raise Violation(f"{node.name} remembers {len(over)} connections that are over")
        gone = [
            element
            for element in holding.elements
            if handlespace.find(element.pool.handle, element.identifier) is not element
        ]
        if gone:
            raise Violation(f"{node.name} remembers {len(gone)} elements that are gone: {gone}")
        # Whose an element was before it came stands beside it while it is here.
        ways = {n: way for n, way in holding.numbers.items() if not way.endswith("_moved[]")}
        former = ways.keys() & self.world.former_identifiers()
        if former:
            found = {ways[identifier] for identifier in former}
            raise Violation(f"{node.name} remembers registrars that are gone: {found}")
        most = len(node.lines) + len(handlespace) + len(self.world.registrars) + ROOM
        for way, size in holding.sizes.items():
            # A tree has room for the next power of two.
            if size > (2 * most if way.endswith("._tree") else most):
                raise Violation(f"{node.name} has {size} entries in {way}; {most} are many")
