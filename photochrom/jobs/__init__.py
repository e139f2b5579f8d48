"""Running one Beam job: runner, progress, lock of the output folder, signals, reports of unexpected errors.

Here: whatever does not depend on what the job does. The only folder that imports Beam. Not here: steps of a job.
"""
