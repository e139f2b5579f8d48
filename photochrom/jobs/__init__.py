"""Running one Beam job: runner, progress, lock of the output folder, signals, reports of unexpected errors.

Here: everything that is independent of the job's steps. The only folder that imports Beam. Not here: steps of a job.
"""
