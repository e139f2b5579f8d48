"""Figures of Flink's last job, from its REST server: bytes that left the tasks, and the balance of the work."""

import dataclasses
import json
import urllib.request
from typing import Any


@dataclasses.dataclass(frozen=True)
class Figures:
    """Figures of one job.

    Attributes:
        bytes: sent from one task to another, over the network or not, including all shuffles.
        busiest: share of the elements of the longest step that its busiest subtask got, times the number of subtasks;
            1 is even.
    """

    bytes: int
    busiest: float


def of_last_job(address: str) -> Figures:
    """Returns the figures of the last job of the server at HOST:PORT."""
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
