"""Whether a scan is colorized at all: the exclusion list, triage by content, and the decision by flags.

Not here: results of earlier runs (`serving.resume`).
"""
