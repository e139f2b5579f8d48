"""Fault injection into the real commands: kills, full disks, a failing object store; and the resulting losses.

`python -m benchmarks.faults --images 10000`.
"""
