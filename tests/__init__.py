"""The tests of rserpool; each package of it has one of the same name here."""

import os

from hypothesis import HealthCheck, settings

# How fast values are drawn says something of the machine, and nothing of our code.  Where a
# change is judged (CI), it is judged by the same values each time.
settings.register_profile(
    "rserpool",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("rserpool")

# It is for the tests: what they start may be in the middle of something when it is killed.
os.environ.pop("PYTHONWARNINGS", None)
