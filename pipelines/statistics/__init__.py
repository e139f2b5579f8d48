"""The full pass over the training records: exact histograms, and tensorflow-transform's graph from them.

The only folder that imports tensorflow_transform.
"""
