"""How fast this is beside real Locust, measured on the machine at hand.

`python -m benchmarks` from the checkout prints one JSON object a line. It compares, never judges from
memory: both sides run in turns against the same target, and what cannot be measured here is skipped by
name. It must leave no process behind and change nothing outside its own folder.
"""
