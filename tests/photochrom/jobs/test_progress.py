import collections
import json
import logging
import os
import pty
import subprocess
import sys
import threading
import time

import pytest

from photochrom.jobs import progress
from photochrom.storage import files

pytestmark = pytest.mark.job  # whole jobs or trainings


def test_counts_of_workers_are_added(tmp_path):
    for worker, (listed, done) in enumerate([(5, 2), (7, 3)]):
        (tmp_path / f"{worker}.json").write_text(json.dumps({"listed": listed, "compared": 2, "done": done}))
    assert progress.read(str(tmp_path)) == {"listed": 12, "compared": 4, "done": 5}


def test_unfinished_file_is_no_error(tmp_path):
    (tmp_path / "x.json").write_text('{"listed":')
    assert not any(progress.read(str(tmp_path)).values())
    assert not any(progress.read(str(tmp_path / "none")).values())


def until(condition) -> None:
    """Waits until something holds, at most 10 s."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_last_counts_are_written_without_further_ones(tmp_path):
    folder = str(tmp_path / "progress")
    threads = [
        threading.Thread(target=lambda: [progress.Tally.add(folder, "done") for _ in range(2000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    until(lambda: progress.read(folder)["done"] == 8000)
    until(lambda: progress.Tally._writer is None)
    progress.Tally.close(folder)
    progress.Tally.add(folder, "listed")
    until(lambda: progress.read(folder) == {"listed": 1})


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({}, "colorize, starting"),
        ({"listing": 1, "listed": 340}, "colorize, listing: 340 found"),
        ({"listing": 1, "found": 340}, "colorize, listing: 340 found"),
        ({"loading the model": 2, "listing": 0, "listed": 340}, "colorize, loading the model: 0 of 340"),
        ({"loading TensorFlow": 1}, "colorize, loading TensorFlow"),
        ({"listed": 340, "listing": 0}, "colorize: 0 of 340"),
        ({"listed": 340, "compared": 10}, "colorize, looking for copies: 10 of 340, 4.0/s, 1 min 22 s left"),
        ({"listed": 340, "done": 20, "failed": 2}, "colorize: 20 of 340, 2 failed, 4.0/s, 1 min 20 s left"),
        ({"listed": 340, "done": 340}, "colorize: 340 of 340, 4.0/s"),
    ],
)  # fmt: skip
def test_state_names_stage_failures_and_time_left(counts, line):
    rate = 4.0 if counts.keys() & {"done", "compared"} else 0.0
    assert progress.State.of(collections.Counter(counts), rate).line("colorize") == line


def test_stage_is_active_while_its_body_runs(tmp_path):
    folder = str(tmp_path)
    with progress.stage(folder, "loading the model"):
        until(lambda: progress.read(folder)["loading the model"] == 1)
    until(lambda: progress.read(folder)["loading the model"] == 0)
    progress.Tally.close(folder)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (61, "1 min 1 s"), (7500, "2 h 5 min")]
)
def test_duration_is_in_words(seconds, words):
    assert progress.duration(seconds) == words


def test_log_lines_have_rate_and_time_left(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(progress, "_LOG_SECONDS", 1.0)
    folder = tmp_path / "progress"
    folder.mkdir()
    with caplog.at_level(logging.INFO, "photochrom"), progress.shown(str(folder), "preparing"):
        for done in (10, 20, 30, 40):
            files.write_bytes(f"{folder}/w.json", json.dumps({"listed": 100, "done": done}).encode())
            time.sleep(1.0)
    assert any("of 100" in line and "/s" in line and "s left" in line for line in caplog.messages)
    assert not folder.exists()


def test_comparing_is_a_step_of_its_own(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.5)
    folder = tmp_path / "progress"
    folder.mkdir()
    with caplog.at_level(logging.INFO, "photochrom"), progress.shown(str(folder), "prepare"):
        for counts in ({"compared": 40, "done": 0}, {"compared": 100, "done": 7}):
            files.write_bytes(f"{folder}/w.json", json.dumps({"listed": 100, **counts}).encode())
            time.sleep(1.5)
    assert caplog.messages[0].startswith("prepare, looking for copies: 40 of 100")
    assert any(line.startswith("prepare: 7 of 100") for line in caplog.messages)


def test_bar_leaves_stdout_in_place(tmp_path):
    code = (
        "import sys, time; from photochrom.jobs import progress\n"
        "with progress.shown(sys.argv[1], 'look'):\n"
        "    time.sleep(1.5)\n"  # until the bar is there
        "    print('found')"
    )
    terminal, theirs = pty.openpty()
    argv = [sys.executable, "-c", code, str(tmp_path / "progress")]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(terminal, 1 << 16)
    os.close(terminal)
    assert b"look" in shown and b"found" not in shown
    assert done.stdout == b"found\n"
