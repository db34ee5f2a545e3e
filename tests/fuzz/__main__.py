"""
``python -m tests.fuzz SECONDS``: mutate real messages and see that decoding fails cleanly.

Whatever the bytes, a decoder returns or raises WireError, in bounded time; what it decodes
encodes and decodes to the same.  The seed of a failure is printed.
"""

import random
import sys
import time

from rserpool.wire import asap, enrp
from rserpool.wire.errors import EncodeError, WireError
from rserpool.wire.framing import Splitter
from tests.vectors import vectors

#: Seconds that one message may take: there is nothing in a message that takes longer.
SLOWEST = 0.5


def samples() -> list[bytes]:
    """Real messages: one of each kind and length, or most would be of a kind."""
    return list({(name, data[0], len(data)): data for name, data in vectors()}.values())


def main(seconds: float, first: int) -> int:
    """Fuzz for a time; how many messages were tried."""
    seeds = samples()
    end, seed = time.monotonic() + seconds, first
    while time.monotonic() < end:
        for _ in range(200):
            seed += 1
            attack(mutated(seeds, random.Random(seed)), seed)
    print(f"fuzz: {seed - first} messages, seeds {first + 1} to {seed}")
    return seed - first


def attack(data: bytes, seed: int) -> None:
    """Try one message."""
    for protocol in (asap, enrp):
        began = time.monotonic()
        try:
            decoded = protocol.decode(data)
            if decoded.message is not None:
                again = protocol.decode(protocol.encode(decoded.message))
                assert again.message == decoded.message, f"seed {seed}: {data.hex()}"
        except (WireError, EncodeError):
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r} for {data.hex()}") from error
        assert time.monotonic() - began < SLOWEST, f"seed {seed} is slow: {data.hex()}"
    try:
        Splitter().feed(data)
    except WireError:
        pass


def mutated(seeds: list[bytes], chance: random.Random) -> bytes:
    """A message with a few things wrong."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data)) if data else 0
        kind = chance.randrange(6)
        if kind == 0 and data:
            data[at] = chance.randrange(256)
        elif kind == 1 and data:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.choice((1, 2, 4, 8)))
        elif kind == 3:
            del data[at : at + chance.choice((1, 2, 4, 8))]
        elif kind == 4:
            other = chance.choice(seeds)
            data[at:] = other[chance.randrange(len(other)) :]
        else:
            data[at:at] = data[at : at + 4 * chance.randint(1, 10)] * chance.randint(1, 50)
    if chance.random() < 0.7 and 4 <= len(data) <= 0xFFFF:
        # or hardly one would get past its Message Length
        data[2:4] = len(data).to_bytes(2, "big")
    return bytes(data[:70000])


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
