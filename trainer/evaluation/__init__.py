"""How good a bundle is: examples, metrics, intervals, plots and the HTML report.

Not here: what training measures while it runs (`trainer.training.losses`).
"""
