"""Inputs of a job: `--input` to sources, each with its key, and sources to bytes.

Here: folders, globs, manifests and archives as lists of sources, keys, reading of members, prefetching.
Not here: pixels (`imaging`), how bytes are fetched (`storage`).
"""
