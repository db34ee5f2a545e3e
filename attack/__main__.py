"""
``python -m attack [--quick] [SCENARIO...]``: attacks on a registrar, with limits and without.

Tables go to build/attack/attack.txt, plots beside it.  The exit status is 1 when a goal was
missed with the limits that the registrar has by default.
"""

import argparse
import sys
import time
from pathlib import Path

from attack.figures import Point, faults, plot, table
from attack.scenarios import SCENARIOS, Scenario
from attack.stage import Stage

OUT = Path("build/attack")
#: Seconds for each measurement, in a whole run and in a quick one.
SECONDS, QUICK_SECONDS = 7.0, 4.0


def play(scenario: Scenario, *, limits: bool, quick: bool) -> list[Point]:
    """Measure every level, on one registrar."""
    stage = Stage(limits=limits, registrars=scenario.registrars, settings=scenario.settings)
    seconds = QUICK_SECONDS if quick else SECONDS
    try:
        levels = scenario.levels(stage)
        chosen = [levels[0], *levels[-scenario.quick :]] if quick else levels
        stage.measure("warming up", 2.0, None)
        return [stage.measure(label, seconds, attack) for label, attack in chosen]
    finally:
        stage.end()


def main() -> int:
    """Play what is asked for, print, write, judge."""
    parser = argparse.ArgumentParser(prog="python -m attack", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the strongest, limits on")
    parser.add_argument("scenario", nargs="*", help=", ".join(one.name for one in SCENARIOS))
    args = parser.parse_args()
    unknown = set(args.scenario) - {one.name for one in SCENARIOS}
    if unknown:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    OUT.mkdir(parents=True, exist_ok=True)
    texts, missed, began = [], [], time.monotonic()
    for scenario in SCENARIOS:
        if args.scenario and scenario.name not in args.scenario:
            continue
        points = play(scenario, limits=True, quick=args.quick)
        if not args.quick:
            points = play(scenario, limits=False, quick=False) + points
            plot(OUT / f"{scenario.name}.png", scenario.title, points)
        texts.append(table(scenario.title, points))
        print(texts[-1], flush=True)
        for fault in faults(points):
            missed.append(f"{scenario.name}: {fault}")
            print(f"  MISSED: {fault}", flush=True)
    (OUT / "attack.txt").write_text("\n\n".join([*texts, *missed]) + "\n")
    verdict = f"{len(missed)} goals missed" if missed else "every goal was reached"
    print(f"\n{verdict}; {time.monotonic() - began:.0f} s; see {OUT}/")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
