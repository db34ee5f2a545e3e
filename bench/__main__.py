"""
``make bench``: all figures as a table, and in build/bench.json.

Compare within one run only: machines differ, and the same one differs from hour to hour.
``BENCH_SIZES=1000,100000`` and ``BENCH_ROUNDS=3`` make it shorter or longer.
"""

import json
import os
from pathlib import Path
from typing import Any

from bench import codec, handlespace, serving

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "1000,100000").split(",")]


def main() -> None:
    """Measure, print, write."""
    result: dict[str, Any] = {"codec": codec.measure()}
    table("codec, microseconds", result["codec"])
    result["handlespace"] = handlespace.measure()
    table("handlespace, microseconds of CPU", result["handlespace"])
    result["serving"] = [serving.measure(size) for size in SIZES]
    for found in result["serving"]:
        print(f"\nregistrar at {found['elements']} elements, "
              f"{found['bytes an element']:.0f} bytes each, longest answer while filling "
              f"{found['longest answer while filling, ms']:.1f} ms")  # fmt: skip
        print(f"  {'':40} {'us CPU':>8} {'per s':>9} {'p50 ms':>8} {'p99 ms':>8}")
        for name, figures in found["figures"].items():
            times = [
                "" if figures[key] is None else f"{figures[key] * 1e3:.2f}"
                for key in ("p50", "p99")
            ]
            print(f"  {name:40} {figures['us']:8.2f} {figures['rate']:9.0f} "
                  f"{times[0]:>8} {times[1]:>8}")  # fmt: skip
    result["ratios"] = ratios(result["serving"])
    table("ratios", result["ratios"])
    Path("build").mkdir(exist_ok=True)
    Path("build/bench.json").write_text(json.dumps(result, indent=1) + "\n")


def table(title: str, figures: dict[str, float]) -> None:
    """Print names and figures."""
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:60} {value:10.2f}")


def ratios(found: list[dict[str, Any]]) -> dict[str, float]:
    """What the goals are about, from CPU time for each operation."""
    figures = {one["elements"]: one["figures"] for one in found}
    result: dict[str, float] = {}
    for size, by_name in figures.items():
        for connections, window in serving.SHAPES:
            shape = f"c{connections} w{window}"

            def us(name: str, by_name: Any = by_name, shape: str = shape) -> float:
                value: float = by_name[f"{name} {shape}"]["us"]
                return value

            at = f"{shape} at {size}"
            plain, tls = us("resolve registrar plain"), us("resolve registrar tls")
            result[f"resolve of trivial, plain {at}"] = us("resolve trivial plain") / plain
            result[f"resolve of trivial, TLS {at}"] = us("resolve trivial tls") / tls
            result[f"TLS to plain {at}"] = tls / plain
            result[f"renew to resolve, plain {at}"] = us("renew registrar plain") / plain
    smallest, largest = min(figures), max(figures)
    for connections, window in serving.SHAPES:
        name = f"resolve registrar plain c{connections} w{window}"
        growth = figures[largest][name]["us"] / figures[smallest][name]["us"]
        result[f"growth {smallest} to {largest} c{connections} w{window}"] = growth
    return result


if __name__ == "__main__":
    main()
