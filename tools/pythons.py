"""
``make test-pythons``: the tests on each Python from 3.11 to 3.14 that is found here.

With ``--newest`` on the newest of them only: what holds there and where ``make test`` runs has
always held in between.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from environments import ROOT, environment, install, trial

VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def found() -> dict[str, str]:
    """Version to interpreter: on the path, or among pyenv's."""
    pythons = {}
    places = [Path(place) for place in _pyenv()]
    for version in VERSIONS:
        on_path = shutil.which(f"python{version}")
        others = [str(p) for place in places for p in place.glob(f"{version}.*/bin/python")]
        for python in [*([on_path] if on_path else []), *others]:
            if _version(python) == version:
                pythons[version] = python
                break
    return pythons


def _pyenv() -> list[str]:
    if shutil.which("pyenv") is None:
        return []
    root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
    return [f"{root.stdout.strip()}/versions"] if root.returncode == 0 else []


def _version(python: str) -> str:
    done = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()


if __name__ == "__main__":
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = {version: python for version, python in found().items() if version != own}
    if "--newest" in sys.argv[1:]:
        others = dict(list(others.items())[-1:])
    print(f"tested by make test: {own}; tested here: {', '.join(others) or 'none found'}")
    for version, python in others.items():
        programs = environment(ROOT / f".venv-{version}", python)
        install(programs, "--config-settings", "editable_mode=compat", "-e", ".[test]")
        trial(programs, version)
