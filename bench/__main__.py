"""
``make bench``: all figures as a table, and in build/bench.json.

Compare within one run only: machines differ, and the same one differs from hour to hour.
``BENCH_SIZES=1000,100000`` and ``BENCH_ROUNDS=3`` make it shorter or longer.
"""

import json
import os
from pathlib import Path
from typing import Any

from bench import codec, handlespace, scope, serving

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "1000,100000").split(",")]


def main() -> None:
    """Measure, print, write."""
    result: dict[str, Any] = {"codec": codec.measure()}
    table("codec, microseconds", result["codec"])
    result["handlespace"] = handlespace.measure()
    table("handlespace, microseconds of CPU", result["handlespace"])
    result["serving"] = served = serving.measure(SIZES)
    for name, found in served["filling"].items():
        table(f"filling {name}", found)
    print(f"\n  {'':52} {'us CPU':>8} {'per s':>9} {'p50 ms':>8} {'p99 ms':>8}")
    for name, figures in served["figures"].items():
        times = [
            "" if figures[key] is None else f"{figures[key] * 1e3:.2f}"
            for key in ("p50", "p99")
        ]
        print(f"  {name:52} {figures['us']:8.2f} {figures['rate']:9.0f} "
              f"{times[0]:>8} {times[1]:>8}")  # fmt: skip
    result["ratios"] = ratios(served)
    table("ratios", result["ratios"])
    result["scope"] = scope.measure(SIZES)
    for name, found in result["scope"].items():
        table(f"scope: {name}", found)
    Path("build").mkdir(exist_ok=True)
    Path("build/bench.json").write_text(json.dumps(result, indent=1) + "\n")


def table(title: str, figures: dict[str, float]) -> None:
    """Print names and figures."""
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:60} {value:10.2f}")


def ratios(served: dict[str, Any]) -> dict[str, float]:
    """What the goals are about, from CPU time for each operation."""
    result: dict[str, float] = {}
    sizes = served["sizes"]
    for connections, window in serving.SHAPES:
        shape = f"c{connections} w{window}"
        us = {
            name.removesuffix(f" {shape}"): figures["us"]
            for name, figures in served["figures"].items()
            if name.endswith(shape)
        }
        for size in sizes:
            at = f"{shape} at {size}"
            plain, tls = (us[f"resolve registrar {kind} {size}"] for kind in ("plain", "tls"))
            result[f"resolve of trivial, plain {at}"] = us["resolve trivial plain"] / plain
            result[f"resolve of trivial, TLS {at}"] = us["resolve trivial tls"] / tls
            result[f"TLS to plain {at}"] = tls / plain
            renew = us[f"renew registrar plain {size}"]
            result[f"renew to resolve, plain {at}"] = renew / plain
        least, most = (us[f"resolve registrar plain {s}"] for s in (min(sizes), max(sizes)))
        result[f"growth {min(sizes)} to {max(sizes)} {shape}"] = most / least
    return result


if __name__ == "__main__":
    main()
