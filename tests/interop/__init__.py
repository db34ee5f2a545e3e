"""
SCTP, proven in a kernel that has it, and with the reference implementation as peer.

``make interop`` boots that kernel and runs these tests there (see README.rst).  Elsewhere none
of them is collected: ``test_lab`` says so in one line.
"""

import os
import sys
import unittest
from collections.abc import Callable, Iterable

#: What is set in the lab, and nowhere else.
MARK = "RSERPOOL_LAB"


def inside() -> bool:
    """Whether this is the lab."""
    return os.environ.get(MARK) == "1"


def only_in_the_lab(module: str) -> Callable[[], unittest.TestSuite]:
    """What a module of tests must have as its ``test_suite``."""

    def test_suite() -> unittest.TestSuite:
        from twisted.trial.runner import TestLoader

        loader, suite = TestLoader(), unittest.TestSuite()
        if inside():
            for found in loader.findTestClasses(sys.modules[module]):
                suite.addTest(_Class(found, loader.loadClass(found)))
        return suite

    return test_suite


class _Class(unittest.TestSuite):
    """The tests of one class, with its fixtures: trial doesn't run them."""

    def __init__(self, case: type[unittest.TestCase], tests: Iterable[unittest.TestCase]):
        super().__init__(tests)
        self._case = case

    def run(self, result: unittest.TestResult, debug: bool = False) -> unittest.TestResult:
        """Set up, run the tests, tear down; what fails of it is an error."""
        if self.countTestCases() and self._done(self._case.setUpClass, result):
            for test in self:
                test(result)
            self._done(self._case.tearDownClass, result)
        return result

    @staticmethod
    def _done(fixture: Callable[[], None], result: unittest.TestResult) -> bool:
        from twisted.python.failure import Failure
        from twisted.trial.runner import ErrorHolder

        try:
            fixture()
        except Exception:
            ErrorHolder(fixture.__qualname__, Failure()).run(result)
            return False
        return True
