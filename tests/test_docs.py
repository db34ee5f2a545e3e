"""The documents speak of code and tests that exist."""

import functools
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import PoolConnection, PoolUser
from rserpool.security.cookies import CookieKeyring
from rserpool.security.psk.entry import parse_entry
from rserpool.service import pe_options, tables
from rserpool.service.settings import key_of

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

    def test_threats(self):
        """Each section of RFC 5355 has a clause of its own, in the RFC's order."""
        _, _, text = COVERAGE.partition("RFC 5355 (threats)")
        found = [int(number) for number in re.findall(r"(?m)^   2\.(\d+)[^|]* \|", text)]
        self.assertEqual(sorted(set(found)), list(range(1, 18)))
        self.assertEqual(found, sorted(found))


class Threats(SynchronousTestCase):
    """docs/threats.rst: what it names is there."""

    FIELDS = ("Threat", "Mechanism", "Settings", "Code", "Tests")
    PROGRAMS = {one.__name__: one for one in (PoolConnection, PoolUser, CookieKeyring)}

    def setUp(self):
        text = (ROOT / "docs" / "threats.rst").read_text()
        parts = re.split(r"(?m)^2\.(\d+) .+\n-+\n", text)
        self.numbers = [int(number) for number in parts[1::2]]
        self.sections = {
            number: dict(re.findall(r"(?ms)^:(\w+): (.*?)(?=\n:|\n\n|\Z)", section))
            for number, section in zip(self.numbers, parts[2::2], strict=True)
        }

    def named(self, number, field):
        """What a field of a section names."""
        return re.findall(r"``([^`]+)``", self.sections[number][field])

    def test_sections(self):
        """Each section of RFC 5355 that is a threat has one, with all that belongs to it."""
        self.assertEqual(self.numbers, list(range(1, 18)))
        for number, fields in self.sections.items():
            self.assertEqual(tuple(fields)[: len(self.FIELDS)], self.FIELDS, number)
            self.assertLessEqual(set(fields), {*self.FIELDS, "Remains"}, number)
            for field in self.FIELDS[2:]:
                self.assertTrue(self.named(number, field), (number, field))

    def test_code(self):
        """Each module that is named exists."""
        for number in self.numbers:
            for name in self.named(number, "Code"):
                self.assertTrue((ROOT / "rserpool" / name).is_file(), (number, name))

    def test_tests(self):
        """Each test that is named has tests; one plays the attacker of its section."""
        for number in self.numbers:
            names = self.named(number, "Tests")
            for name in names:
                self.assertTrue(any(map(_is_test, _found(f"tests.{name}"))), (number, name))
            mark = f"threats.test_2_{number:02}_"
            self.assertTrue(any(name.startswith(mark) for name in names), number)

    def test_none_is_missing(self):
        """Each module that plays an attacker is named in its section."""
        modules = sorted((ROOT / "tests" / "threats").glob("test_*.py"))
        self.assertGreaterEqual(len(modules), 17)
        for module in modules:
            number = int(re.match(r"test_2_(\d\d)_", module.name)[1])
            names = " ".join(self.named(number, "Tests"))
            self.assertIn(f"threats.{module.stem}", names)

    def test_settings(self):
        """Each setting exists: of the registrar, the wrapper, a key, a command, a program."""
        kinds = {
            r"[a-z]+\.[a-z-]+": self.check_key,
            r";([a-z-]+)=": self.check_restriction,
            r"rserpool ([a-z]+)": self.check_command,
            r"--([a-z-]+)": self.check_option,
            r"([A-Z]\w+)\(([a-z]+)=\)": self.check_argument,
        }
        used = set()
        for number in self.numbers:
            self.command = ""
            for name in self.named(number, "Settings"):
                [kind] = [kind for kind in kinds if re.fullmatch(kind, name)]
                kinds[kind](*re.fullmatch(kind, name).groups() or (name,))
                used.add(kind)
        self.assertEqual(used, set(kinds))

    def check_key(self, name):
        """A key of a configuration file."""
        table, _, key = name.partition(".")
        declared = {**tables.TABLES, **pe_options.TABLES}
        self.assertIn(key, [key_of(field.name) for field in attrs.fields(declared[table])])

    def check_restriction(self, name):
        """What may stand after a key in its file."""
        value = {"pe-id": "1", "pool": "web", "addr": "192.0.2.0/24"}.get(name, "2099-01-01")
        parse_entry(f"web-1:{'ab' * 32};{name}={value}")
        with self.assertRaises(ValueError):
            parse_entry(f"web-1:{'ab' * 32};{name}-no={value}")

    def check_command(self, name):
        """A command, of which options follow."""
        self.command = name
        self.assertIn(f"rserpool {name}", usage(name))

    def check_option(self, name):
        """An option of the command before it."""
        self.assertRegex(usage(self.command), rf"(?m)^ +--{name}\b")

    def check_argument(self, kind, name):
        """An argument of what a program makes."""
        self.assertIn(name, inspect.signature(self.PROGRAMS[kind]).parameters)


@functools.cache
def usage(command):
    """What a command says of itself."""
    words = [sys.executable, "-m", "rserpool.cli.main", command, "--help"]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True).stdout


def _found(name):
    """The members of a module, or of one class or test of a module; nothing: it isn't there."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part, None)
        return [found] if count < len(parts) else list(vars(found).values())
    return []


def _is_test(value):
    """Whether it is a test, or a class with tests in it."""
    names = dir(value) if inspect.isclass(value) else [getattr(value, "__name__", "")]
    return callable(value) and any(name.startswith("test") for name in names)
