"""The examples are packages of their own: installed apart, they pass their own tests."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.site import ROOT

EXAMPLES = ROOT / "examples"
#: What belongs to the installation of the project itself.
PROJECT = ("setup.cfg", "pyproject.toml", "README.rst", "LICENSE", "rserpool", "twisted")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.egg-info", "build")


class Examples(SynchronousTestCase):
    """In an environment where nothing else of the project can be imported."""

    timeout = 300

    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="rserpool-examples-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.place = self.scratch / "environment"
        self.run_it(sys.executable, "-m", "venv", "--without-pip", self.place)
        self.python = self.place / "bin" / "python"
        self.packages = sysconfig.get_path(
            "purelib", vars={"base": self.place, "platbase": self.place}
        )
        # The dependencies are those that are here; the project isn't among them: it is in
        # this environment by a .pth file, and those in a directory that one names aren't read.
        Path(self.packages, "dependencies.pth").write_text(sysconfig.get_path("purelib"))
        self.install(self.copied(ROOT, PROJECT))

    def run_it(self, *words, **more):
        """Run a program to its good end; what it says."""
        more.setdefault("env", {k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
        done = subprocess.run(
            [str(word) for word in words],
            capture_output=True, text=True, timeout=120, check=False, **more,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def copied(self, source, names):
        """A copy of what is to be built: building leaves traces."""
        to = self.scratch / "sources" / source.name
        to.mkdir(parents=True)
        for name in names:
            path = source / name
            if path.is_dir():
                shutil.copytree(path, to / name, ignore=LEFT_OUT)
            elif path.exists():
                shutil.copy(path, to / name)
        return to

    def install(self, source):
        """Install a package, as pip does it, with what is here to build it."""
        self.run_it(
            sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet",
            "--no-deps", "--no-build-isolation", "--no-index", source,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.scratch)},
        )  # fmt: skip

    def test_each(self):
        """Each is installed, found by its name, and passes its tests, with a registrar."""
        for example in sorted(EXAMPLES.iterdir()):
            names = [path.name for path in example.iterdir() if path.name != "tests"]
            self.install(self.copied(example, names))
            shutil.copytree(example / "tests", self.scratch / example.name / "tests")
            where = self.run_it(self.python, "-c", "import rserpool; print(rserpool.__file__)")
            self.assertIn(self.packages, where)
            said = self.run_it(
                self.python, "-m", "twisted.trial", "tests", cwd=self.scratch / example.name
            )
            self.assertIn("PASSED", said)
            self.assertNotIn("skips", said)
