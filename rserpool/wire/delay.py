"""
The policies of draft-dreibholz-rserpool-delay: load or chance, and how far away an element is.

Their numbers are private use (RFC 5356 section 7.1); rsplib has the same ones.  A distance is
in milliseconds, and no element sets its own: its home does, see `rserpool.registrar.distance`.
A distance penalty factor (DPF) is a fraction of 2**32: what one millisecond costs, where 2**32
is a load of 100 %, or all of a weight.
"""

from typing import ClassVar

from rserpool.wire.layout import UINT32, wire
from rserpool.wire.policies import policy


@policy(0xB0002001, "weighted-random-dpf")
class WeightedRandomDPF:
    """By chance, in proportion to weights that shrink with the distance."""

    NUMBER: ClassVar[int] = 0xB0002001
    weight: int = wire(UINT32)
    dpf: int = wire(UINT32)
    distance: int = wire(UINT32, default=0)


@policy(0xB0002002, "least-used-dpf")
class LeastUsedDPF:
    """The lowest load first, the distance counting as so much more load."""

    NUMBER: ClassVar[int] = 0xB0002002
    load: int = wire(UINT32)
    dpf: int = wire(UINT32)
    distance: int = wire(UINT32, default=0)
