"""Python loads this at its start where PYTHONPATH names its folder: a wall clock that is an hour fast."""

import time

HOUR_NS = 3_600_000_000_000

_right_time_ns = time.time_ns

time.time_ns = lambda: _right_time_ns() + HOUR_NS
time.time = lambda: time.time_ns() / 1e9
