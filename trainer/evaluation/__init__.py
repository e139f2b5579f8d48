"""Evaluation of a bundle: examples, metrics, intervals, plots and the HTML report; PROTOCOL.md defines them.

Not here: the validation measures of training (`trainer.training.losses`).
"""
