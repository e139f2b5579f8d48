"""An unexpected error is one line with advice; the trace is in a file."""

import errno
import logging
import os
import pathlib
import tempfile
import types

import apache_beam as beam
import pytest

from photochrom import cli, errors
from photochrom.jobs import beam_job, crash_report

TRACE = """Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1512, in apache_beam.runners.common.DoFnRunner.process
    target.write(piece)
OSError: [Errno 28] No space left on device

During handling of the above exception, another exception occurred:

  File "outputs.py", line 118, in _copy
RuntimeError: {} [while running 'Colorize/Write']
"""


@pytest.fixture(autouse=True)
def folder_of_logs(tmp_path, monkeypatch):
    """Traces go to a folder of the test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def said(error, argv=(), is_resumable=True) -> str:
    return crash_report.report(error, argv, is_resumable=is_resumable)[0]


def worker_error(text) -> RuntimeError:
    return RuntimeError(TRACE.format(text))


@pytest.mark.parametrize("workers", ["multi_threading", "multi_processing"])
def test_cause_is_found_in_workers_trace(workers):
    def write(_):
        with open("/dev/full", "wb", 0) as file:
            file.write(b"a picture")

    options = beam_job.parse_options([f"--direct_running_mode={workers}", "--direct_num_workers=1"])
    with pytest.raises(RuntimeError) as raised:
        beam_job.run(lambda root: root | beam.Create([1]) | "Write" >> beam.Map(write), options)
    cause = crash_report.cause_of(raised.value)
    assert (cause.kind, cause.number, cause.step) == ("OSError", errno.ENOSPC, "Write")


def test_full_disk_is_named_with_free_space(tmp_path):
    error = worker_error(f"OSError: [Errno 28] No space left on device: '{tmp_path}/images/a.jpg'")
    line = said(error, ["--input=scans", f"--output={tmp_path}"])
    assert line.startswith(f"no space left on {tmp_path} (")
    assert " bytes free): free some and run the same command again; what is done is kept; the full trace is in " in line


@pytest.mark.parametrize(
    ("inodes", "expected"),
    [
        (0, "no inodes free: it holds too many files"),
        (3, "40960 bytes and 3 inodes free"),
        (5000, "40960 bytes free"),
    ],
)
def test_few_inodes_are_named(monkeypatch, inodes, expected):
    status = types.SimpleNamespace(f_files=10_000, f_favail=inodes, f_bavail=10, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda folder: status)
    assert crash_report._free("/") == expected


def test_temporary_folder_is_distinguished_from_output(tmp_path, folder_of_logs):
    error = worker_error(f"OSError: [Errno 122] Disk quota exceeded: '{folder_of_logs}/tmpabc'")
    line = said(error, ["--output", str(tmp_path)])
    assert f"no space left on {folder_of_logs}, the folder for temporary files (TMPDIR names another) (" in line


def test_error_without_file_names_fuller_folder(tmp_path, monkeypatch):
    free = {str(tmp_path): 5, tempfile.gettempdir(): 5_000_000}
    monkeypatch.setattr(crash_report, "_free_bytes", free.get)
    line = said(worker_error("OSError: [Errno 28] No space left on device"), [f"--output={tmp_path}"])
    assert line.startswith(f"no space left on {tmp_path} (")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EROFS, "cannot be written any more, it is read-only: make it writable and run the same command again"),
        (errno.EACCES, "/o/images/a.jpg: permission denied: give yourself the right to it and run the same"),
        (errno.EIO, "/o/images/a.jpg: Input/output error: check the disk or the network mount, and run"),
        (errno.EMFILE, "too many open files: raise the limit (ulimit -n 4096) and run the same command again"),
        (errno.ENOMEM, "out of memory: give fewer workers"),
        (errno.ENXIO, "unexpected error: OSError: [Errno 6] No such device or address"),
    ],
)
def test_system_error_has_advice(number, text):
    assert text in said(OSError(number, os.strerror(number), "/o/images/a.jpg"), ["--output=/o"])


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"), "out of memory: give fewer"),
        (RuntimeError("can't start new thread"), "out of memory: give fewer"),
        (worker_error("MemoryError: Unable to allocate 2. GiB"), "out of memory: give fewer"),
        (
            ImportError("libgomp.so.1: cannot open shared object file: Too many open files"),
            "too many open files: raise",
        ),
        (worker_error("ResourceExhaustedError: /x; Too many open files [Op:RestoreV2]"), "too many open files: raise"),
    ],
)
def test_shortage_without_errno_has_advice(error, text):
    assert said(error).startswith(text)


def test_killed_worker_process_is_reported():
    line = said(RuntimeError("Channel closed prematurely."))
    assert line.startswith("a worker process was killed (perhaps out of memory): ")
    assert "run the same command again; what is done is kept" in line


def test_only_resumable_jobs_promise_to_resume():
    assert "what is done is kept" not in said(OSError(errno.ENOSPC, "full"), is_resumable=False)


def test_deliberate_error_is_shown_unchanged():
    error = worker_error("photochrom.errors.UsageError: manifest a.csv is broken; expected a source in each row")
    line, status = crash_report.report(error, [])
    assert line.startswith("manifest a.csv is broken; expected a source in each row; the full trace is in ")
    assert status == errors.UsageError.exit_status


def test_unexpected_error_names_step_in_one_line():
    line = said(worker_error("ValueError: broken " + 1000 * "x"))
    assert line.startswith("unexpected error in Colorize/Write: ValueError: broken xxx")
    assert "\n" not in line and len(line) < 500


def test_log_has_trace_and_earlier_records(folder_of_logs):
    line, _ = crash_report.report(worker_error("OSError: [Errno 28] full"), [], ["a worker's own words"])
    text = pathlib.Path(line.rpartition(" ")[2]).read_text()
    assert "outputs.py" in text and "a worker's own words" in text


def test_log_avoids_full_temporary_folder(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", "/dev/full")
    assert f"the full trace is in {tmp_path}/home/photochrom-" in said(OSError(errno.EIO, "gone"))


def test_call_ends_with_one_line(capsys, tmp_path):
    def run(argv):
        raise OSError(errno.ENOSPC, "No space left on device", f"{tmp_path}/images/a.jpg")

    assert cli.call(run, [f"--output={tmp_path}"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_traces_of_libraries_are_shown_once(capsys):
    shown = logging.StreamHandler()
    handler = crash_report.OneLine(shown)
    for name, text in (
        ("apache_beam.x", "OSError: full\nTraceback (most recent call last):\n  File ..."),
        ("apache_beam.x", "OSError: full\nTraceback (most recent call last):\n  File ..."),
        ("apache_beam.y", 'Worker: severity: ERROR timestamp { seconds: 1 } message: "it\\\'s full\\nTraceback" x: 1'),
        ("photochrom", "two\nlines"),
    ):
        handler.handle(logging.LogRecord(name, logging.ERROR, "", 0, text, None, None))
    assert capsys.readouterr().err.splitlines() == ["OSError: full", "it's full", "two", "lines"]
    assert len(handler.kept) == 3 and "File ..." in handler.kept[0]
