"""Files with secrets, read only where nobody else can."""

import os
import stat


def too_open(path: str, mode: int, what: str) -> str:
    """Why a file of this mode isn't for secrets; empty: it is."""
    bits = stat.S_IMODE(mode)
    if not bits & (stat.S_IRWXG | stat.S_IRWXO):
        return ""
    return f"{path}: mode {bits:04o} lets group or others at the {what}; chmod 600 {path}"


def read_private(path: str, what: str = "private key") -> bytes:
    """
    Read a file that must be its owner's alone.

    :raise ValueError: group or others can read or change it.
    :raise OSError: it can't be read.
    """
    with open(path, "rb") as file:
        fault = too_open(path, os.fstat(file.fileno()).st_mode, what)
        if fault:
            raise ValueError(fault)
        return file.read()
