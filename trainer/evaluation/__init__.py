"""Evaluation of a bundle, comparison of two: examples, metrics, intervals, plots, reports; PROTOCOL.md defines them.

Not here: the validation measures of training (`trainer.training.losses`).
"""
