"""The publication of an output folder by IIIF: Level 0 image tiles, Presentation 3 manifests, collections, a CSV.

Not here: the manifest of the run (`serving.manifest`), the review page (`serving.review`), the copies themselves.
"""
