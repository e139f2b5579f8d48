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


def test_threads_lose_no_count(tmp_path):
    folder = str(tmp_path / "progress")
    threads = [
        threading.Thread(target=lambda: [progress.Tally.add(folder, "done") for _ in range(2000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(1.1)
    progress.Tally.add(folder, "listed")
    progress.Tally.settle()
    assert progress.read(folder) == {"listed": 1, "compared": 0, "done": 8000}


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
    assert any(line.startswith("prepare, looking for copies: 40 of 100") for line in caplog.messages)
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
