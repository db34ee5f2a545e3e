"""Run one seed: everything that befalls it, then quiet, watched all the time."""

import traceback

import attrs

from tests.simulation.faults import Faults
from tests.simulation.invariants import Invariants
from tests.simulation.quiet import Quiet
from tests.simulation.trace import LAST
from tests.simulation.world import Plan, World, deterministic

#: Seconds in which a world finds itself before anything befalls it.
FIRST = 10.0
#: Seconds of quiet in which what is said is counted.
WHILE = 30.0


@attrs.frozen
class Outcome:
    """What became of a seed: `failure` is empty when all rules have held."""

    seed: int
    failure: str
    world: World

    def report(self) -> str:
        """A failure for people, with the last that happened before it."""
        lines = "\n".join(self.world.trace.lines())
        return (
            f"{lines}\nsimulation: seed {self.seed} failed at "
            f"{self.world.clock.now:.1f} s: {self.failure}\n"
            f"again, with all that happened: python -m tests.simulation {self.seed} --trace"
        )


def run(seed: int, plan: Plan | None = None, *, most: int | None = LAST) -> Outcome:
    """Run one seed; whatever is raised is its failure."""
    world = World(seed, plan, most=most)
    with deterministic():
        try:
            _live(world)
        except AssertionError as error:
            return Outcome(seed, str(error) or traceback.format_exc(), world)
        except Exception:
            return Outcome(seed, traceback.format_exc(), world)
    return Outcome(seed, "", world)


def _live(world: World) -> None:
    faults = Faults(world)
    watch = Invariants(world, faults)
    world.populate()
    faults.start(FIRST)
    _watched(world, watch, FIRST + world.plan.active)
    faults.heal()
    _watched(world, watch, world.clock.now + world.stated.quiet)
    quiet = Quiet(watch)
    _watched(world, watch, world.clock.now + WHILE)
    quiet.check()


def _watched(world: World, watch: Invariants, until: float) -> None:
    """Let time pass, and look each second."""
    while world.clock.now < until:
        world.clock.run(world.clock.now + 1.0)
        watch.check()
