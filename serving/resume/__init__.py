"""Which inputs a run does again: the results of earlier runs, the decision, and the write-ahead log.

Not here: how rows are stored (`serving.manifest`).
"""
