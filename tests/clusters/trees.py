"""What a job left in a folder, to be compared with what the local runner leaves."""

import pathlib

# What names the run, or tensorflow serializes differently each time, on any runner.
VARYING = ("saved_model.pb", "fingerprint.pb", "runs.jsonl", "summary.json")


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns what is in each file that is the same in every run, by its path in the folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in VARYING)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def times(folder: pathlib.Path, pattern: str) -> dict[str, int]:
    """Returns when the files of a pattern were written, in nanoseconds."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.glob(pattern))}
