"""One run at a time, with real processes and real signals."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from photochrom import errors
from photochrom.jobs import output_lock
from photochrom.storage import files
from tests.support import bucket_server

# Holds a folder with a file under way in it, and says so.
HOLDER = """
import sys, time
from photochrom import cli
from photochrom.jobs import output_lock
from photochrom.storage import files

def run(argv):
    output = argv[0]
    with output_lock.held(output, output + "/.job"), files.create(output + "/images/copy.png") as file:
        files.write_bytes(output + "/.job/spool/x", b"spooled")
        file.write(b"half")
        print("held", flush=True)
        time.sleep(60)

sys.exit(cli.call(run, sys.argv[1:]))
"""


@contextlib.contextmanager
def holder(output, **options):
    argv = [sys.executable, "-c", HOLDER, str(output)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            assert process.stdout.readline() == "held\n", process.stderr.read()
            yield process
        finally:
            process.kill()


def left(output) -> list[str]:
    return sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())


def held(output):
    return output_lock.held(str(output), f"{output}/.job")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_leaves_one_line_and_no_files(tmp_path, number):
    with holder(tmp_path) as process:
        process.send_signal(number)
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 128 + number
    assert said.count("\n") == 1 and "Traceback" not in said
    assert f"stopped by {number.name}; the same command continues: python -c {tmp_path}" in said
    assert left(tmp_path) == [".job/lock"]  # the mark for the next run
    with held(tmp_path):
        pass
    assert left(tmp_path) == [] and not (tmp_path / ".job").exists()


def test_leftovers_of_killed_run_are_removed(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/.photochrom-tmp-mine.txt").write_text("named by another program")
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
    before = left(tmp_path)
    assert len(before) == 4 and {".job/lock", ".job/spool/x"} < set(before)
    with held(tmp_path):
        assert left(tmp_path) == [".job/lock", "images/.photochrom-tmp-mine.txt"]
    assert left(tmp_path) == ["images/.photochrom-tmp-mine.txt"]


def test_second_run_is_refused_and_changes_nothing(tmp_path):
    with holder(tmp_path) as process:
        before = left(tmp_path)
        with pytest.raises(errors.UsageError, match=f"another run is active there since 20.*process {process.pid} on "):
            held(tmp_path).__enter__()
        assert left(tmp_path) == before and len(before) == 3
    with held(tmp_path), pytest.raises(errors.UsageError, match="another run is active"):
        held(tmp_path).__enter__()  # in this process too
    assert left(tmp_path) == []


def test_stopped_process_holds_and_zombie_does_not(tmp_path):
    with holder(tmp_path) as process:
        os.utime(tmp_path / ".job/lock", (1, 1))  # no heartbeat since 1970, as after Ctrl-Z
        with pytest.raises(errors.UsageError, match="another run is active"):
            held(tmp_path).__enter__()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and its status not yet fetched
        with held(tmp_path):
            pass


def write_lock(output, **changes):
    mine = output_lock.Owner(
        "t", output_lock._host(), os.getpid(), output_lock._birth(os.getpid()), "2026-01-31T00:00:00Z", 0.0
    )
    (output / ".job").mkdir(exist_ok=True)
    (output / ".job/lock").write_text(json.dumps(dataclasses.asdict(dataclasses.replace(mine, **changes))))


@pytest.mark.parametrize(
    ("changes", "age", "is_refused"),
    [
        ({"host": "elsewhere"}, 0, True),
        ({"host": "elsewhere"}, output_lock.STALE_SECONDS - 20, True),
        ({"host": "elsewhere"}, output_lock.STALE_SECONDS + 1, False),
        ({"pid": os.getppid(), "birth": "1"}, 0, False),  # its number was given to another process
        ({"pid": os.getppid(), "birth": output_lock._birth(os.getppid())}, 0, True),
        ({}, 0, False),  # this process's number, as in a container that was started again
        ({"pid": 2**40}, 0, False),
    ],
)
def test_lock_counts_while_owner_may_be_alive(tmp_path, changes, age, is_refused):
    write_lock(tmp_path, **changes)
    os.utime(tmp_path / ".job/lock", (time.time() - age,) * 2)
    if is_refused:
        with pytest.raises(errors.UsageError, match="since 2026-01-31T00:00:00Z"):
            held(tmp_path).__enter__()
    else:
        with held(tmp_path):
            assert json.loads((tmp_path / ".job/lock").read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"pid": 3}'])
def test_unreadable_lock_counts_until_stale(tmp_path, text):
    (tmp_path / ".job").mkdir()
    lock = tmp_path / ".job/lock"
    lock.write_text(text)
    with pytest.raises(errors.UsageError, match="another run is active"):
        held(tmp_path).__enter__()
    os.utime(lock, (1, 1))
    with held(tmp_path):
        pass


def test_active_run_renews_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(output_lock, "BEAT_SECONDS", 0.05)
    with held(tmp_path):
        os.utime(tmp_path / ".job/lock", (1, 1))
        deadline = time.monotonic() + 10
        while os.stat(tmp_path / ".job/lock").st_mtime < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert os.stat(tmp_path / ".job/lock").st_mtime > 2


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_of_another_host_takes_no_lock(tmp_path, monkeypatch, hours):
    write_lock(tmp_path, host="elsewhere", beat=0.0)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + hours * 3600)
    with pytest.raises(errors.UsageError, match="another run is active"):
        held(tmp_path).__enter__()
    assert left(tmp_path) == [".job/lock"]


@pytest.mark.parametrize("name", ["", ".job", ".job/lock"])
def test_folder_deleted_meanwhile_is_an_error(tmp_path, name):
    output = tmp_path / "out"
    with pytest.raises(errors.PhotochromError, match=r"out.* was deleted during the run.*; the same command again"):  # noqa: SIM117
        with held(output):
            (output / name).unlink() if name.endswith("lock") else shutil.rmtree(output / name)
            files.write_bytes(f"{output}/.job/progress/x", b"")  # as a worker would
    with held(output):
        pass
    assert left(output) == []


def test_scratch_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/spool").write_text("not ours")
    (tmp_path / "out/.job").symlink_to(tmp_path / "other")
    with pytest.raises(errors.UsageError, match=r"\.job is a symbolic link"):
        held(tmp_path / "out").__enter__()
    assert left(tmp_path / "other") == ["spool"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("nothing", path)])
def test_lock_that_is_no_file_is_refused(tmp_path, make):
    (tmp_path / ".job").mkdir()
    make(tmp_path / ".job/lock")
    with pytest.raises(errors.UsageError, match="remove"), held(tmp_path):
        pass


def test_files_of_others_in_scratch_stay(tmp_path):
    write_lock(tmp_path, pid=2**40)
    (tmp_path / ".job/mine").mkdir()
    (tmp_path / ".job/mine/x").write_text("not ours")
    (tmp_path / ".job/spool").symlink_to(tmp_path / ".job/mine")
    with held(tmp_path):
        assert left(tmp_path) == [".job/lock", ".job/mine/x"] and not (tmp_path / ".job/spool").exists()
    assert left(tmp_path) == [".job/mine/x"]


def test_lock_taken_meanwhile_is_put_back(tmp_path):
    write_lock(tmp_path, token="new")
    dead = output_lock.Owner("old", "elsewhere", 1, "", "", 0.0)
    output_lock._remove(f"{tmp_path}/.job/lock", dead)
    assert json.loads((tmp_path / ".job/lock").read_text())["token"] == "new"
    assert left(tmp_path) == [".job/lock"]


def test_one_of_simultaneous_bucket_runs_continues(store, bucket):
    store.fault = bucket_server.every(4, "503", bucket_server.LOST)
    start, refused, went_on = threading.Barrier(6), [], []

    def run() -> None:
        start.wait()
        try:
            with output_lock.held(f"{bucket}/out", f"{bucket}/out/.job"):
                went_on.append(1)
                finished.wait(20)
        except errors.UsageError as error:
            refused.append(str(error))
        if len(refused) == 5:
            finished.set()

    finished = threading.Event()
    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(went_on) == 1 and len(refused) == 5 and all("another run is active" in said for said in refused)
    assert list(files.list_all(bucket)) == []


def test_stale_bucket_lock_is_removed_newer_is_not(bucket, monkeypatch):
    mine = output_lock.Owner("old", "elsewhere", 1, "", "2026-01-31T00:00:00Z", time.time())
    lock = f"{bucket}/out/.job/lock"
    for name in ("lock", "spool/a", "spool/b"):
        files.write_bytes(f"{bucket}/out/.job/{name}", output_lock._encoded(mine))
    files.write_bytes(f"{bucket}/out/kept", b"")
    with pytest.raises(errors.UsageError, match="another run is active"):
        output_lock.held(f"{bucket}/out", f"{bucket}/out/.job").__enter__()
    monkeypatch.setattr(output_lock, "STALE_SECONDS", 0.0)
    with output_lock.held(f"{bucket}/out", f"{bucket}/out/.job"):
        assert json.loads(files.read_bytes(lock))["pid"] == os.getpid()
        before = files.stat(lock)
        output_lock._remove(lock, mine)
        assert files.stat(lock) == before
        assert [info.path for info in files.list_all(bucket)] == [lock, f"{bucket}/out/kept"]
    assert [info.path for info in files.list_all(bucket)] == [f"{bucket}/out/kept"]


def test_bucket_lock_is_renewed_until_replaced(bucket, monkeypatch, caplog):
    monkeypatch.setattr(output_lock, "BEAT_SECONDS", 0.05)
    lock = f"{bucket}/out/.job/lock"
    with output_lock.held(f"{bucket}/out", f"{bucket}/out/.job"):
        began = json.loads(files.read_bytes(lock))["beat"]
        wait_until(lambda: json.loads(files.read_bytes(lock))["beat"] > began)
        files.write_bytes(lock, b"{}")
        wait_until(lambda: "another run took the folder over" in caplog.text)
    assert files.read_bytes(lock) == b"{}"


def wait_until(is_so) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
