"""Mutated pictures, archives and manifests against the code that lists, reads, decodes and colorizes them.

Here: targets, limits, report. Not here: seeds and mutations, which tests share (`tests.support`).
"""
