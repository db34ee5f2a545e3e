"""What was measured: percentiles, a table, verdicts, plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

#: The goals: honest latency under attack to that without, and how much memory may grow.
SLOWER, GROWTH = 2.0, 1.05
#: Seconds below which a 99th percentile is the machine's noise: one turn of its scheduler.
NOISE = 0.010


def percentile(values: Sequence[float], part: float) -> float:
    """The value that so great a part of all doesn't exceed; of none, 0."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


@attrs.frozen(kw_only=True)
class Point:
    """
    One measurement: how strong the attack was, and what honest users had of it.

    :ivar memory: of the registrar in octets, at the end.
    :ivar cpu: seconds of it that the registrar used in each second.
    """

    label: str
    limits: bool
    asked: int
    served: int
    refused: int
    unanswered: int
    missed: int
    evicted: int
    latencies: Sequence[float] = attrs.field(repr=False)
    connecting: Sequence[float] = attrs.field(repr=False)
    memory: int
    cpu: float
    attack: dict[str, int] = attrs.field(factory=dict)

    @property
    def share(self) -> float:
        """Of the honest requests that were served."""
        return self.served / self.asked if self.asked else 0.0

    @property
    def median(self) -> float:
        """Half of the requests took no longer."""
        return percentile(self.latencies, 0.5)

    @property
    def p99(self) -> float:
        """Of a hundred requests one took longer."""
        return percentile(self.latencies, 0.99)


def faults(points: Sequence[Point]) -> list[str]:
    """In which points with limits a goal was missed; the first point is without attack."""
    found: list[str] = []
    kept = [point for point in points if point.limits]
    if not kept:
        return found
    before = kept[0]
    for point in kept:
        where = point.label
        if point.evicted or point.missed:
            found.append(f"{where}: {point.evicted} evicted, missed in {point.missed} answers")
        if point.refused or point.unanswered:
            count = point.refused + point.unanswered
            found.append(f"{where}: {count} honest requests were not served")
        if point.p99 > max(SLOWER * before.p99, NOISE):
            ratio = point.p99 / before.p99 if before.p99 else 0
            found.append(f"{where}: p99 {point.p99 * 1e3:.1f} ms, {ratio:.1f} times as before")
    grown = kept[-1].memory / kept[1 if len(kept) > 2 else 0].memory
    if grown > GROWTH:
        found.append(f"memory grew by {(grown - 1) * 100:.0f} %")
    return found


def table(title: str, points: Sequence[Point]) -> str:
    """All points as text."""
    lines = [
        title,
        f"  {'attack':34} {'limits':6} {'served':>8} {'median':>8} {'p99':>8} "
        f"{'times':>5} {'connect':>8} {'CPU':>5} {'MB':>5} {'evicted':>7}",
    ]
    before = {point.limits: point.p99 for point in reversed(points)}
    lines += [
        f"  {point.label:34} {'on' if point.limits else 'off':6} "
        f"{point.share * 100:7.1f}% {point.median * 1e3:5.1f} ms {point.p99 * 1e3:5.1f} ms "
        f"{point.p99 / (before[point.limits] or 1):5.1f} "
        f"{percentile(point.connecting, 0.5) * 1e3:5.1f} ms {point.cpu * 100:4.0f}% "
        f"{point.memory / 1e6:5.0f} {point.evicted + point.missed:7}"
        for point in points
    ]
    return "\n".join(lines)


def plot(path: Path, title: str, points: Sequence[Point]) -> None:
    """Draw the share served and the latency against the strength of the attack."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4.5))
    measures: list[tuple[str, Any]] = [
        ("honest requests served, %", lambda point: point.share * 100),
        ("p99 latency of honest requests, ms", lambda point: point.p99 * 1e3),
    ]
    for axis, (name, value) in zip(axes, measures, strict=True):
        for limits, style in ((False, "o--"), (True, "s-")):
            chosen = [point for point in points if point.limits is limits]
            axis.plot(
                [point.label for point in chosen], [value(point) for point in chosen],
                style, label=f"limits {'on' if limits else 'off'}",
            )  # fmt: skip
        axis.set_title(name)
        axis.set_ylim(bottom=0)
        axis.tick_params(axis="x", rotation=30)
        axis.legend()
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
