"""Output folder of a job, for comparison with that of the local runner."""

import pathlib

# Files that name the run, or that TensorFlow serializes differently each time, on any runner.
VARYING = ("saved_model.pb", "fingerprint.pb", "runs.jsonl", "summary.json")


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns the contents of the files that are the same in every run, by their paths in the folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in VARYING)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def times(folder: pathlib.Path, pattern: str) -> dict[str, int]:
    """Returns the modification times of the files of a pattern, in nanoseconds."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.glob(pattern))}
