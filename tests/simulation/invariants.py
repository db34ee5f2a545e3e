"""The rules that must hold at any time, whatever befalls a world; looked at once a second."""

from tests.simulation.clients import ElementNode
from tests.simulation.faults import Faults
from tests.simulation.registrars import RegistrarNode
from tests.simulation.rules import Key, Since, Violation, shown
from tests.simulation.world import World

Pair = tuple[RegistrarNode, RegistrarNode]


class Invariants:
    """
    Watches one world.

    :ivar connected: pairs of registrars that are connected, and for how many seconds.
    """

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.connected: dict[Pair, float] = {}
        self._faults = faults
        self._stated = world.stated
        self._met = Since()
        self._registered = Since()
        self._double = Since()
        self._hidden = Since()
        self._stale = Since()
        self._orphaned = Since()
        self._robbed = Since()
        self._untold = Since()
        self._had: dict[RegistrarNode, tuple[float, set[tuple[ElementNode, float]]]] = {}

    def check(self) -> None:
        """Look at everything."""
        now = self.world.clock.now
        alive = self.world.alive()
        self._meet(alive, now)
        homes = self._homes(now)
        self._one_owner(alive, now)
        self._resolvable(alive, homes, now)
        self._nobody_is_robbed(alive, homes, now)
        self._changes_are_told(alive, now)
        self._nothing_is_lost(alive)
        self._dead_are_gone(alive, now)

    def home(self, node: ElementNode) -> RegistrarNode | None:
        """The registrar that a registered element is connected with, while all is well."""
        if not (node.running and node.wanted and node.pool_element.registered):
            return None
        end = node.end
        if end is None or not self.world.network.connected(end):
            return None
        home = self.world.registrar_at(end.other.host)
        return home if home.alive and home.serving else None

    def _meet(self, alive: list[RegistrarNode], now: float) -> None:
        """Who is connected with whom, by what the network says."""
        network, at = self.world.network, self.world.registrar_at
        pairs = {
            (node, at(line.end.other.host))
            for node in alive
            for line in node.peer_lines()
            if network.connected(line.end)
        }
        # A registrar that has started anew has met nobody yet.
        things = [
            (a, b, a.since, b.since)
            for a in alive
            for b in alive
            if (a, b) in pairs and (b, a) in pairs
        ]
        self.connected = {
            (a, b): seconds for (a, b, _, _), seconds in self._met.look(things, now)
        }

    def _homes(self, now: float) -> dict[ElementNode, tuple[RegistrarNode, float]]:
        """Where each element is registered, and for how long by one connection."""
        things = []
        for node in self.world.elements:
            home = self.home(node)
            if home is not None:
                things.append((node, home, home.since, node.end))
        return {
            node: (home, seconds)
            for (node, home, _, _), seconds in self._registered.look(things, now)
        }

    def _one_owner(self, alive: list[RegistrarNode], now: float) -> None:
        """No two registrars that are connected own one element for longer than stated."""
        owners: dict[Key, list[RegistrarNode]] = {}
        for node in alive:
            for handle, pool in node.core.handlespace.pools.items():
                for element in pool.elements.values():
                    if element.home == node.identifier and element.channel in node.lines:
                        owners.setdefault((handle, element.identifier), []).append(node)
        breaches = [
            (key, a, b)
            for key, nodes in owners.items()
            for a in nodes
            for b in nodes
            if a.index < b.index and (a, b) in self.connected
        ]
        for (key, a, b), seconds in self._double.look(breaches, now):
            if min(seconds, self.connected[a, b]) > self._stated.owners:
                raise Violation(
                    f"{a.name} and {b.name} have both owned {shown(key)} for {seconds:.0f} s"
                )

    def _resolvable(
        self,
        alive: list[RegistrarNode],
        homes: dict[ElementNode, tuple[RegistrarNode, float]],
        now: float,
    ) -> None:
        """
        Who is registered is known as it is at its home, and to who is connected with that.

        Within `visible` of the registration, the last change and the connection.
        """
        breaches: dict[tuple[ElementNode, RegistrarNode, RegistrarNode, float], str] = {}
        for element, (home, registered) in homes.items():
            long = min(registered, now - element.changed)
            if long <= self._stated.visible:
                continue
            membership = element.membership
            for node in alive:
                met = long if node is home else self.connected.get((node, home), 0.0)
                if met <= self._stated.visible or not node.serving:
                    continue
                entry = node.core.handlespace.find(*element.key)
                thing = element, home, node, node.since
                if entry is None:
                    breaches[thing] = "unknown"
                elif entry.life != membership.life or entry.policy != membership.policy:
                    breaches[thing] = "known with old attributes"
        for thing, seconds in self._hidden.look(breaches, now):
            if seconds > self._stated.visible:
                element, home, node, _ = thing
                raise Violation(
                    f"{shown(element.key)} ({element.name}) is registered at {home.name}, "
                    f"and {breaches[thing]} at {node.name} for {seconds:.0f} s"
                )

    def _nobody_is_robbed(
        self,
        alive: list[RegistrarNode],
        homes: dict[ElementNode, tuple[RegistrarNode, float]],
        now: float,
    ) -> None:
        """
        A registrar that somebody hears isn't taken over.

        Not by one that is connected with who hears it, and so could know.
        """
        if not self._calm(now):
            return
        long = self._stated.taken_over
        breaches = []
        for element, (home, seconds) in homes.items():
            if seconds <= long:
                continue
            for node in alive:
                entry = node is not home and node.core.handlespace.find(*element.key)
                if not entry or entry.home != node.identifier:
                    continue
                for third in alive:
                    heard = min(
                        self.connected.get((node, third), 0.0),
                        self.connected.get((third, home), 0.0),
                    )
                    if heard > long:
                        breaches.append((element, home, node, third))
        for (element, home, node, third), seconds in self._robbed.look(breaches, now):
            if seconds > self._stated.owners:
                raise Violation(
                    f"{shown(element.key)} ({element.name}) is registered at {home.name}, whom "
                    f"{third.name} hears, and {node.name} calls it its own for {seconds:.0f} s"
                )

    def _changes_are_told(self, alive: list[RegistrarNode], now: float) -> None:
        """What comes and goes at a registrar is told at once to who is connected with it."""
        if not self._calm(now):
            return
        breaches = []
        for a, b in self.connected:
            if self.connected[a, b] <= self._stated.synchronized or not a.serving:
                continue
            there, here = b.core.handlespace, a.core.handlespace
            for handle, pool in there.pools.items():
                for identifier, element in pool.elements.items():
                    if element.home == b.identifier and here.find(handle, identifier) is None:
                        breaches.append((a, b, (handle, identifier), "lacks"))
            for handle, pool in here.pools.items():
                for identifier, element in pool.elements.items():
                    if element.home == b.identifier and there.find(handle, identifier) is None:
                        breaches.append((a, b, (handle, identifier), "still has"))
        for (a, b, key, what), seconds in self._untold.look(breaches, now):
            if seconds > self._stated.told:
                raise Violation(
                    f"{a.name} {what} {shown(key)} of {b.name}, which differs, {seconds:.0f} s"
                )

    def _calm(self, now: float) -> bool:
        """Whether nothing has befallen registrars, or the ways between them, for a while."""
        touched = now - self._faults.mesh_touched
        return touched > self._stated.synchronized and not self.world.network.slowness

    def _nothing_is_lost(self, alive: list[RegistrarNode]) -> None:
        """
        Where connections break only because registrars die, nobody ever lacks a live element.

        An element that a registrar has once known, it knows as long as both live.  This holds
        when registrars die one at a time: one that comes back and learns from a mentor that
        has itself just come back may not learn what it had.
        """
        if self.world.plan.breaks or not self.world.plan.mesh:
            return  # who isn't told of others begins alone, and owns nothing of what it had
        moment = self.world.clock.now
        unsettled = [
            node
            for node in self.world.registrars
            if node not in alive or 0 < moment - node.since < self._stated.synchronized
        ]
        if len(unsettled) > 1:
            self._had.clear()
            return
        for node in alive:
            since, before = self._had.get(node, (0.0, set()))
            if since != node.since:
                before = set()
            found = node.core.handlespace.find
            now = {
                (element, element.since)
                for element in self.world.elements
                if element.running and element.wanted and found(*element.key) is not None
            }
            for element, began in before - now:
                if element.running and element.wanted and element.since == began:
                    raise Violation(
                        f"{node.name} has lost {shown(element.key)} ({element.name}), alive"
                    )
            self._had[node] = node.since, now

    def _dead_are_gone(self, alive: list[RegistrarNode], now: float) -> None:
        """Who died or has left is gone from its home, and where that is connected or dead."""
        gone = [node for node in self.world.elements if not node.running and node.gone]
        by_identifier = {node.identifier: node for node in alive}
        meshed = all((a, b) in self.connected for a in alive for b in alive if a is not b)
        stale, orphaned = [], []
        for node in alive:
            for element in gone:
                entry = node.core.handlespace.find(*element.key)
                if entry is None:
                    continue
                home = by_identifier.get(entry.home)
                if home is node or (home is not None and (node, home) in self.connected):
                    stale.append((element, element.gone, node, home, home.since))
                elif home is None and meshed:
                    orphaned.append((element, element.gone, node, node.since))
        for (element, _, node, home, _), seconds in self._stale.look(stale, now):
            if seconds > self._stated.gone:
                raise Violation(
                    f"{shown(element.key)} ({element.name}) has been gone, and {node.name} "
                    f"still has it at {home.name} for {seconds:.0f} s"
                )
        for (element, _, node, _), seconds in self._orphaned.look(orphaned, now):
            if seconds > self._stated.taken_over:
                raise Violation(
                    f"{shown(element.key)} ({element.name}) has been gone, and {node.name} "
                    f"still has it at a home that is dead for {seconds:.0f} s"
                )
