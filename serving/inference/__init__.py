"""Scans through the model: batches of one shape, memory back-off, the Beam model handler.

Not here: how a bundle is opened and called (`photochrom.model`).
"""
