"""The documents speak of code and tests that exist."""

import importlib
import re
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
COVERAGE = (ROOT / "docs" / "rfc-coverage.rst").read_text()


class Tutorial(SynchronousTestCase):
    """docs/security-plugins.rst builds examples/rserpool-auth-sqlite, which is tested apart."""

    EXAMPLE = ROOT / "examples" / "rserpool-auth-sqlite"

    def files(self):
        """The files that it prints, with their names."""
        text = (ROOT / "docs" / "security-plugins.rst").read_text()
        found = re.findall(r"(?m)^    :caption: (\S+)\n\n((?:    .*\n|\n)+)", text)
        return {name: textwrap.dedent(body).rstrip("\n") + "\n" for name, body in found}

    def test_files(self):
        """Each is the one of the example, to the octet."""
        files = self.files()
        self.assertGreater(len(files), 8)
        for name, body in files.items():
            self.assertEqual(body, (self.EXAMPLE / name).read_text(), name)

    def test_whole(self):
        """Nothing is in the example that the tutorial hasn't made."""
        made = {*self.files(), "README.rst", "tests/__init__.py"}
        there = {
            str(path.relative_to(self.EXAMPLE))
            for path in self.EXAMPLE.rglob("*")
            if path.is_file() and path.suffix in (".py", ".toml", ".rst")
            and not {"build", "venv"} & set(path.parts)
        }  # fmt: skip
        self.assertEqual(there, made)


class Coverage(SynchronousTestCase):
    """docs/rfc-coverage.rst."""

    def rows(self):
        """The rows of its tables."""
        for line in COVERAGE.splitlines():
            if line.startswith("   ") and line.count("|") == 3:
                yield [cell.strip() for cell in line.split("|")]

    def test_code(self):
        """Every module that is named exists."""
        found = [name for row in self.rows() for name in re.findall(r"``([^`]+)``", row[2])]
        self.assertGreater(len(found), 60)
        for name in found:
            self.assertTrue((ROOT / "rserpool" / name).is_file(), name)

    def test_tests(self):
        """Every test module that is named exists and has tests."""
        found = {name for row in self.rows() for name in re.findall(r"``([^`]+)``", row[3])}
        self.assertGreater(len(found), 20)
        for name in found:
            module = importlib.import_module(f"tests.{name}")
            self.assertTrue(any(hasattr(value, "run") for value in vars(module).values()), name)

    def test_nothing_in_between(self):
        """Each clause has code and a test, or says that it isn't done."""
        for clause, done, code, test in self.rows():
            if clause == ":delim:":
                continue
            if "**not" not in done and "**can't" not in done:
                self.assertTrue(code and test, clause)
