"""The interface of a colorizer: the bundle on disk, its signature, one way to load and call it.

Here also: the default bundle, the working sizes and the ensemble of views. Not here: how a model is built and trained
(`trainer`).
"""
