import json
import logging
import threading
import time

from photochrom import progress


def test_counts_of_all_workers_are_added_up(tmp_path):
    for worker, (listed, done) in enumerate([(5, 2), (7, 3)]):
        (tmp_path / f"{worker}.json").write_text(json.dumps({"listed": listed, "done": done}))
    assert progress.read(str(tmp_path)) == (12, 5)


def test_a_file_under_way_is_no_error(tmp_path):
    (tmp_path / "x.json").write_text('{"listed":')
    assert progress.read(str(tmp_path)) == (0, 0)
    assert progress.read(str(tmp_path / "none")) == (0, 0)


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
    assert progress.read(folder) == (1, 8000)


def test_a_log_has_plain_lines_with_rate_and_time_left(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(progress, "_LOG_SECONDS", 1.0)
    folder = tmp_path / "progress"
    folder.mkdir()
    with caplog.at_level(logging.INFO, "photochrom"), progress.shown(str(folder), "preparing"):
        for done in (10, 20, 30, 40):
            (folder / "w.json").write_text(json.dumps({"listed": 100, "done": done}))
            time.sleep(1.0)
    assert any("of 100" in line and "/s" in line and "s left" in line for line in caplog.messages)
    assert not folder.exists()
