"""
``python -m tests.simulation FIRST[-LAST]``: run seeds; tell the first that fails, and how.

With ``--trace`` everything that happened is shown, of one seed.
"""

import argparse
import multiprocessing
import os
import sys
import time

from tests.simulation import mutations
from tests.simulation.run import LAST, Outcome, run


def main(arguments: list[str]) -> int:
    """Run what is asked for; 0 when all rules have held."""
    options = _options().parse_args(arguments)
    first, _, last = options.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    began = time.monotonic()
    with mutations.planted(options.plant):
        if len(seeds) == 1 or options.processes == 1:
            failed, report, count = _alone(seeds, options.trace)
        else:
            failed, report, count = _together(seeds, options.processes)
    seconds = time.monotonic() - began
    if failed is not None:
        print(report)
        print(f"simulate: seed {failed} failed, {count} seeds in {seconds:.0f} s")
        return 1
    print(f"simulate: seeds {options.seeds}: all rules held; {count} in {seconds:.0f} s")
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", metavar="FIRST[-LAST]", help="whole numbers")
    parser.add_argument("--trace", action="store_true", help="show all that happened")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--plant", choices=list(mutations.ALL), help="a fault in the core")
    return parser


def _alone(seeds: range, trace: bool) -> tuple[int | None, str, int]:
    for count, seed in enumerate(seeds, 1):
        outcome = run(seed, most=None if trace else LAST)
        if outcome.failure:
            return seed, outcome.report(), count
        if trace:
            print("\n".join(outcome.world.trace.lines()))
    return None, "", len(seeds)


def _together(seeds: range, processes: int) -> tuple[int | None, str, int]:
    """By several processes; the failure told is that of the smallest seed among the first."""
    count = 0
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for seed, report in pool.imap(_reported, seeds, chunksize=4):
            count += 1
            if report:
                return seed, report, count
    return None, "", count


def _reported(seed: int) -> tuple[int, str]:
    outcome: Outcome = run(seed)
    return seed, outcome.report() if outcome.failure else ""


def steady() -> None:
    """Begin anew with hashes that are the same in each run, as the order of sets is then."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            environment,
        )


if __name__ == "__main__":
    steady()
    sys.exit(main(sys.argv[1:]))
