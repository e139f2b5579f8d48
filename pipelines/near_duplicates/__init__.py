"""Copies of one photograph among the inputs, found so that a split can keep them together.

Here: signatures, the hash, the search and its report. Not here: the splits themselves (`pipelines.splits`).
"""
