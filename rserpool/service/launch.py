"""
Starts a program in a session of its own, and lets it end when its parent does.

Run as a script, by its path, before the program takes its place: Ctrl-C in a terminal then
reaches the wrapper alone, which leaves the pool before it ends the server, and all that the
server has started can be ended with it.  Imports nothing of the package: it has to be quick.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: Sequence[str]) -> None:
    """
    Become the program of these words.

    :param arguments: the process that is to be its parent, and the words.
    """
    parent, *words = arguments
    os.setsid()
    # Python ignores these, and who is executed by it would, too.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit("the wrapper has ended")
    try:
        os.execvp(words[0], words)  # noqa: S606 - there is to be no shell
    except OSError as error:
        sys.exit(f"{words[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
