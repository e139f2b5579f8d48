"""A trial on a sample of the inputs, and the estimate of the time, space and memory that all of them will take.

Not here: the trial of another model (`serving.canary`).
"""
