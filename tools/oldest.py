"""``make test-oldest``: the tests on the oldest versions that setup.cfg allows."""

import configparser
import re

from environments import ROOT, environment, install, trial


def oldest() -> list[str]:
    """Each requirement with its lower bound as the version."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    wanted = config["options"]["install_requires"] + config["options.extras_require"]["test"]
    found = []
    for line in wanted.splitlines():
        match = re.match(r"([A-Za-z0-9.\[\]-]+)\s*>=\s*([0-9.]+)", line.strip())
        if match:
            found.append(f"{match[1]}=={match[2]}")
    return found


if __name__ == "__main__":
    programs = environment(ROOT / ".venv-oldest")
    install(programs, *oldest())
    install(programs, "--no-deps", "--config-settings", "editable_mode=compat", "-e", ".")
    trial(programs, "oldest")
