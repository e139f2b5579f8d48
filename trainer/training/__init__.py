"""A training run: wiring, phases, steps, losses, calibration, checkpoints, hosts, export and promotion of the bundle.

Not here: the network (`trainer.model`), the input (`trainer.data`), the metrics of a report (`trainer.evaluation`).
"""
