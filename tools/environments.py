"""Virtual environments for the tests that need one of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command; its failure is ours."""
    words = [str(word) for word in command]
    print("$", " ".join(words), flush=True)
    if subprocess.run(words, cwd=cwd, check=False).returncode:
        sys.exit(f"failed: {' '.join(words)}")


def environment(path: Path, python: str = sys.executable) -> Path:
    """Make a virtual environment anew and return the folder of its programs."""
    run(python, "-m", "venv", "--clear", path)
    return path / "bin"


def install(programs: Path, *what: str | Path) -> None:
    """Install packages into it."""
    run(
        programs / "python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install",
        *what,
    )  # fmt: skip


#: What ``make test`` runs once, with the Python and the libraries that it has: attacks on
#: processes and scopes of them, which take as long as all other tests together; and the
#: simulation, of which every run of ``.ci/run`` has a thousand seeds beside.
ONCE = {"threats", "simulation", "test_scope", "test_multicast", "test_bench"}


def trial(programs: Path, name: str) -> None:
    """Run the tests with it, but those that are run once."""
    packages = [path.parent for path in (ROOT / "tests").glob("*/__init__.py")]
    modules = [*packages, *(ROOT / "tests").glob("test_*.py")]
    names = sorted(f"tests.{path.stem}" for path in modules if path.stem not in ONCE)
    run(
        programs / "python", "-m", "twisted.trial", f"--temp-directory=build/trial-{name}",
        "--reporter=text", f"--jobs={os.cpu_count()}", *names,
    )  # fmt: skip
