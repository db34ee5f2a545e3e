"""What README.rst tells a newcomer to type is understood."""

import re
import shlex
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.main import _parser, chosen
from rserpool.service.maker import Options as RegistrarOptions
from rserpool.service.pe import Options as ElementOptions

ROOT = Path(__file__).parent.parent


def commands():
    """Every command in the README's shell blocks, as words."""
    text = (ROOT / "README.rst").read_text()
    for block in re.findall(r"code-block:: sh\n\n((?:    .*\n|\n)+)", text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


class Typed(SynchronousTestCase):
    """Each command, as far as it can be checked without running it."""

    def test_make(self):
        """The make targets exist."""
        makefile = (ROOT / "Makefile").read_text()
        targets = [words[1] for words in commands() if words[0] == "make"]
        self.assertEqual(targets[:2], ["demo", "test"])
        for target in targets:
            self.assertRegex(makefile, rf"(?m)^{target}:")

    def test_rserpool(self):
        """The rserpool commands parse."""
        found = [words for words in commands() if words[0] == "rserpool"]
        self.assertGreaterEqual(len(found), 2)
        for words in found:
            self.assertTrue(callable(chosen(_parser().parse_args(words[1:]))))

    def test_twistd(self):
        """The services have the options that are given to them."""
        services = {"rserpool-enrp": RegistrarOptions, "rserpool-pe": ElementOptions}
        found = [words for words in commands() if words[0] == "twistd"]
        self.assertEqual(len(found), 4)
        for words in found:
            [place] = [place for place, word in enumerate(words) if word in services]
            options = services[words[place]]()
            for word in words[place + 1 :]:
                if word.startswith("--"):
                    known = [option.rstrip("=") for option in options.longOpt]
                    self.assertIn(word[2:], known)
