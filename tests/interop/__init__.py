"""
SCTP, proven in a kernel that has it, and with the reference implementation as peer.

``make interop`` boots that kernel and runs these tests there (see README.rst).  Elsewhere none
of them is collected: ``test_lab`` says so in one line.
"""

import os
import sys
import unittest
from collections.abc import Callable

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
                suite.addTest(loader.loadClass(found))
        return suite

    return test_suite
