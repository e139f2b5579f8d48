"""Which inputs a run does again: what earlier runs left, the decision, and the notes for the next run.

Not here: how rows are stored (`serving.manifest`).
"""
