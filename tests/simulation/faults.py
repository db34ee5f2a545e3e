"""What befalls a world, drawn from its seed, and its healing."""

import math
from collections.abc import Callable

from tests.simulation.clients import ElementNode
from tests.simulation.network import End, Host
from tests.simulation.registrars import RegistrarNode
from tests.simulation.world import World

#: How long a fault lasts, in seconds: some are over before anybody has noticed.
SHORT, LONG = 0.5, 60.0
#: A registrar that is gone may stay so.
NEVER_BACK = 0.1


class Faults:
    """
    Draws one fault after the other until it is told to heal.

    :ivar broken: since when nothing has been broken between registrars; infinity: something is.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._chance = world.chance
        self._healing: list[Callable[[], None]] = []
        self._kinds = {kind: weight for kind, weight in world.plan.faults.items() if weight}
        self._dead: set[int] = set()
        self._over = False
        self.mesh_touched = 0.0
        self._befall: dict[str, Callable[[], None]] = {
            "join": self._join,
            "leave": self._leave,
            "element-killed": lambda: self._element_stops(power=False),
            "element-died": lambda: self._element_stops(power=True),
            "change": self._change,
            "resolve": self._resolve,
            "report": self._report,
            "killed": lambda: self._registrar_stops(power=False, anew=False),
            "died": lambda: self._registrar_stops(power=True, anew=False),
            "killed-anew": lambda: self._registrar_stops(power=False, anew=True),
            "died-anew": lambda: self._registrar_stops(power=True, anew=True),
            "reset-asap": lambda: self._reset(asap=True),
            "reset-enrp": lambda: self._reset(asap=False),
            "partition": self._partition,
            "silence": self._silence,
            "element-cut": lambda: self._element_cut(both=True),
            "element-silence": lambda: self._element_cut(both=False),
            "slow": self._slow,
        }

    def start(self, first: float) -> None:
        """Begin at this time."""
        self.world.clock.at(first, self._next)

    def heal(self) -> None:
        """No more faults, and everything that is broken is mended."""
        self._over = True
        self.world.note("heals")
        healing, self._healing = self._healing, []
        for mend in healing:
            mend()
        self.world.network.calm()
        for node in self.world.registrars:
            if not node.alive and node.index not in self._dead:
                node.start(self.world.identifier())
        self.mesh_touched = self.world.clock.now

    def _next(self) -> None:
        if self._over:
            return
        kinds = list(self._kinds)
        kind = self._chance.choices(kinds, [self._kinds[each] for each in kinds])[0]
        self._befall[kind]()
        pause = -math.log(1.0 - self._chance.random()) * self.world.plan.pause
        self.world.clock.after(pause, self._next)

    def _seconds(self) -> float:
        return SHORT * (LONG / SHORT) ** self._chance.random()

    def _for_a_while(self, mend: Callable[[], None]) -> None:
        """Mend it after a time, or when everything is healed."""
        seconds = self._seconds()
        self._healing.append(mend)

        def over() -> None:
            if mend in self._healing:
                self._healing.remove(mend)
                mend()

        self.world.clock.after(seconds, over)

    # Elements and users

    def _running(self) -> list[ElementNode]:
        return [node for node in self.world.elements if node.running and node.wanted]

    def _join(self) -> None:
        returning = [node for node in self.world.elements if not node.running]
        if returning and self._chance.random() < 0.4:
            self._chance.choice(returning).start()
        else:
            self.world.element().start()

    def _leave(self) -> None:
        if running := self._running():
            self._chance.choice(running).leave()

    def _element_stops(self, *, power: bool) -> None:
        if running := self._running():
            self._chance.choice(running).stop(power=power)

    def _change(self) -> None:
        if running := self._running():
            node = self._chance.choice(running)
            node.update(self.world.policy(node.membership.handle), self.world.life())

    def _resolve(self) -> None:
        user = self._chance.choice(self.world.users)
        handle = b"pool%d" % self._chance.randrange(len(self.world.pools))
        user.resolve(handle, lambda resolution: None)

    def _report(self) -> None:
        user = self._chance.choice(self.world.users)
        if running := self._running():
            user.report(*self._chance.choice(running).key)

    # Registrars

    def _registrar_stops(self, *, power: bool, anew: bool) -> None:
        alive = self.world.alive()
        if len(alive) < 2:
            return
        node = self._chance.choice(alive)
        node.stop(power=power)
        self._touched()
        # Where not all are told of all, nobody else could bring the others together.
        mesh = self.world.plan.mesh
        if self._chance.random() < NEVER_BACK and len(alive) > 2 and mesh:
            self._dead.add(node.index)
            return
        identifier = self.world.identifier() if anew else node.identifier

        def again() -> None:
            if not node.alive:
                node.start(identifier)
                self._touched()

        self._for_a_while(again)

    def _touched(self) -> None:
        self.mesh_touched = self.world.clock.now

    # Ways

    def _reset(self, *, asap: bool) -> None:
        ends: list[End] = [
            line.end
            for node in self.world.alive()
            for line in node.lines.values()
            if (line.channel.protocol.value == "asap") is asap and line.end.live
        ]
        if ends:
            end = self._chance.choice(ends)
            self.world.note(f"resets {end.host} - {end.other.host}")
            self.world.network.reset(end)
            if not asap:
                self._touched()

    def _cut(self, pairs: list[tuple[Host, Host]], words: str, *, mesh: bool) -> None:
        """Nothing passes in these directions for a while."""
        network = self.world.network
        self.world.note(words)
        for source, target in pairs:
            network.block(source, target)

        def mend() -> None:
            self.world.note(f"no longer: {words}")
            for source, target in pairs:
                network.free(source, target)
            if mesh:
                self._touched()

        if mesh:
            self._touched()
        self._for_a_while(mend)

    def _partition(self) -> None:
        """Two sides of the network; elements and users are on either one."""
        nodes = self.world.registrars
        size = self._chance.randint(1, len(nodes) - 1)
        left = [node.host for node in self._chance.sample(nodes, size)]
        right = [node.host for node in nodes if node.host not in left]
        if self._chance.random() < 0.5:
            clients: list[Host] = [node.host for node in self.world.elements]
            left += [host for host in clients if self._chance.random() < 0.5]
            right += [host for host in clients if host not in left]
        pairs = [pair for a in left for b in right for pair in ((a, b), (b, a))]
        self._cut(pairs, f"partition: {left} | {right}", mesh=True)

    def _silence(self) -> None:
        """One registrar isn't heard by another one, or neither hears the other."""
        nodes = self.world.registrars
        if len(nodes) < 2:
            return
        source, target = (node.host for node in self._chance.sample(nodes, 2))
        pairs = [(source, target)]
        if self._chance.random() < 0.3:
            pairs.append((target, source))
        self._cut(pairs, f"silence: {pairs}", mesh=True)

    def _element_cut(self, *, both: bool) -> None:
        """An element and one registrar, or all of them, don't hear each other."""
        if not (running := self._running()):
            return
        host = self._chance.choice(running).host
        nodes: list[RegistrarNode] = self.world.registrars
        if self._chance.random() < 0.6:
            nodes = [self._chance.choice(nodes)]
        pairs = [(host, node.host) for node in nodes]
        if both:
            pairs += [(target, source) for source, target in pairs]
        elif self._chance.random() < 0.5:
            pairs = [(target, source) for source, target in pairs]
        self._cut(pairs, f"silence: {pairs}", mesh=False)

    def _slow(self) -> None:
        """Everything that one registrar sends and gets takes its time."""
        network = self.world.network
        host = self._chance.choice(self.world.registrars).host
        self.world.note(f"{host} is slow")
        network.slowness[host] = 0.2 + 2.0 * self._chance.random()
        self._touched()

        def mend() -> None:
            self.world.note(f"{host} is slow no longer")
            network.slowness.pop(host, None)
            self._touched()

        self._for_a_while(mend)
