"""Faults done to the real commands: kills, full disks, a failing object store; and what was lost by them.

`python -m benchmarks.faults --images 10000`.
"""
