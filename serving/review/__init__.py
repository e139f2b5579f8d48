"""The review page of an output folder: thumbnails, data files, the static site, the reviewers' decisions, their effect.

Not here: the manifest that it shows (`serving.manifest`), which decided inputs a run does again (`serving.resume`).
"""
