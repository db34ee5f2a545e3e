"""External programs that some tests judge our work by."""

import shutil


def requires(*names: str) -> str | None:
    """
    Why a test must be skipped here, or None when every program is there.

    Used as ``skip = requires("tshark")``; the full run refuses any skip that says so.
    """
    missing = [name for name in names if shutil.which(name) is None]
    return f"needs the program {', '.join(missing)}" if missing else None
