"""When users start, and of which class, as the target sees it: ours beside real Locust's.

`python -m benchmarks.spawn_times` measures, prints one JSON object a line, and keeps what the figures in
docs/figures are drawn from. Every user's first act is a request that names its class and its worker; the
target stamps it with the machine's monotonic clock, which all processes here share.

It must never judge by what a side says of itself, and leave no process behind.
"""
