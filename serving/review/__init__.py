"""The review page of an output folder: thumbnails, data files, the static site, and the reviewers' decisions.

Not here: the manifest that it shows (`serving.manifest`), the work that follows from decisions (`serving.resume`).
"""
