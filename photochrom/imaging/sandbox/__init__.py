"""Decoding in a helper process: a hostile or broken file costs that file, never the job.

Here: the API for jobs, the pool of helpers, the worker and the protocol between them. Not here: decoding itself.
"""
