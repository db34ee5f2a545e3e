"""
``python -m tests.fuzz.guided [CORPUS] [-max_total_time=SECONDS]``: guided by coverage.

Needs atheris (libFuzzer), which isn't there for every Python: ``pip install atheris``.
"""

import sys

import atheris

with atheris.instrument_imports(include=["rserpool.wire"]):
    from tests.fuzz.__main__ import attack


def main() -> None:
    """Fuzz until told to stop."""
    atheris.Setup(sys.argv, lambda data: attack(data, 0))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
