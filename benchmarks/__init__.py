"""Benchmarks: ratios against a baseline within one run (`make bench`), scale, fuzzing, fault injection.

Not here: helpers that tests need as well (`tests.support`).
"""
