"""A prepared dataset as a stream of training tensors: local copy, parsing, order, augmentation.

Not here: the model that learns from it.
"""
