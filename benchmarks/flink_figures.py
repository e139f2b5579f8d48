"""What Flink's REST server tells of the job that it did last: the bytes that left its tasks, how even its work was."""

import dataclasses
import json
import urllib.request
from typing import Any


@dataclasses.dataclass(frozen=True)
class Figures:
    """Of one job.

    Attributes:
        bytes: that left a task for another one, over the network or not: all shuffles and more.
        busiest: of the step that took longest, the share of its elements that its busiest subtask got, times the
            number of subtasks; 1 is even.
    """

    bytes: int
    busiest: float


def of_last_job(address: str) -> Figures:
    """Asks the server at HOST:PORT."""
    jobs = _get(address, "/jobs/overview")["jobs"]
    last = max(jobs, key=lambda job: job["start-time"])["jid"]
    vertices = _get(address, f"/jobs/{last}")["vertices"]
    longest = max(vertices, key=lambda vertex: vertex["duration"])
    subtasks = _get(address, f"/jobs/{last}/vertices/{longest['id']}")["subtasks"]
    records = [subtask["metrics"]["read-records"] for subtask in subtasks]
    written = sum(vertex["metrics"]["write-bytes"] for vertex in vertices)
    return Figures(written, max(records) * len(records) / max(sum(records), 1))


def _get(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
        return json.load(answer)
