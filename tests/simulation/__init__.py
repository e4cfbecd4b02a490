"""A whole cluster on a virtual clock and a seeded network: real agents, real master core, simulated runners.

Nothing in here sleeps, opens a socket or starts a process; a seed says all that happens. See `world.py`.
"""
