"""
``make test-install``: sdist and wheel, each installed into a new environment elsewhere.

``twistd`` must know both services and ``rserpool`` must run, away from the source tree.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from environments import ROOT, environment, install, run


def main() -> None:
    """Build, install, use."""
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(scratch, "built")
        run(sys.executable, "-m", "build", "--outdir", built, ROOT)
        for package in (*built.glob("*.whl"), *built.glob("*.tar.gz"), ROOT):
            place = Path(scratch, "env")
            programs = environment(place)
            install(programs, package)
            used(programs, Path(scratch))
            print(f"good: {package.name}", flush=True)


def used(programs: Path, elsewhere: Path) -> None:
    """Use what was installed as a newcomer would."""
    for words, expected in (
        (("twistd", "--help"), ("rserpool-enrp", "rserpool-pe")),
        (("twistd", "rserpool-enrp", "--help"), ("--asap-tls", "--rules")),
        (("twistd", "rserpool-pe", "--help"), ("--pool", "--spawn")),
        (("rserpool", "--help"), ("resolve", "init")),
        (("rserpool", "init", "site"), ("registrar.toml",)),
        (("rserpool", "psk", "list", "site/elements.psk"), ("web-1",)),
    ):
        command = [str(programs / words[0]), *words[1:]]
        done = subprocess.run(
            command, cwd=elsewhere, capture_output=True, text=True, check=False
        )
        missing = [word for word in expected if word not in done.stdout]
        if done.returncode or missing:
            sys.exit(f"{' '.join(words)}: {missing} missing\n{done.stdout}{done.stderr}")
    for path in (elsewhere / "site").iterdir():
        path.unlink()
    (elsewhere / "site").rmdir()


if __name__ == "__main__":
    main()
