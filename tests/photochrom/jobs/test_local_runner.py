import collections
import contextlib
import ipaddress
import itertools
import os
import pathlib
import subprocess
import sys
import threading
import time
import tracemalloc
import uuid

import apache_beam as beam
import psutil
import pytest
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from photochrom.jobs import beam_job, local_workers
from photochrom.sources.source import Source

pytestmark = pytest.mark.job  # whole jobs or trainings

_COUNT, _BYTES = 4000, 1000  # 4 MB: four bundles


class _NoteBundles(beam.DoFn):
    """Notes how many elements each bundle has, in a file of its own."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)

    def start_bundle(self):
        self._seen = 0

    def process(self, element):
        self._seen += 1
        beam.metrics.Metrics.counter("test", "seen").inc()
        yield element

    def finish_bundle(self):
        (self._folder / uuid.uuid4().hex).write_text(str(self._seen))


def _list(count):
    return ((f"{i:05d}", bytes(_BYTES)) for i in range(count))


def test_no_element_is_lost_by_timed_flush(monkeypatch):
    monkeypatch.setattr(worker_handlers, "DATA_BUFFER_TIME_LIMIT_MS", 2)  # as if each step took minutes
    count = 5000

    def check(found):
        assert found == count

    def build(pipeline):
        listed = (
            pipeline
            | beam.Create([count])
            | beam.FlatMap(lambda n: (Source(f"{i}.jpg", "photos", size=i) for i in range(n)))
        )
        total = beam.pvalue.AsSingleton(listed | beam.combiners.Count.Globally())
        keyed = listed | "ByKey" >> beam.Map(lambda source, total: (source.key, total), total) | beam.GroupByKey()
        return keyed | "CountKeys" >> beam.combiners.Count.Globally() | beam.Map(check)

    beam_job.run(build, beam_job.parse_options(["--direct_num_workers=2"]))


@pytest.mark.parametrize("group", [beam.Reshuffle(), beam.GroupByKey()], ids=["reshuffle", "group"])
@pytest.mark.parametrize(
    ("workers", "mode"), [(1, "in_memory"), (1, "multi_threading"), (3, "multi_threading"), (2, "multi_processing")]
)
def test_bundles_have_at_most_a_megabyte(group, mode, workers, tmp_path):
    def check(found):
        assert found == _COUNT

    def build(root):
        noted = (
            root | beam.Create([_COUNT]) | beam.FlatMap(_list) | "Group" >> group | beam.ParDo(_NoteBundles(tmp_path))
        )
        return noted | beam.combiners.Count.Globally() | beam.Map(check)

    flags = [f"--direct_num_workers={workers}", f"--direct_running_mode={mode}"]
    result = beam_job.run(build, beam_job.parse_options(flags))
    assert result.metrics().query()["counters"][0].committed == _COUNT
    sizes = [int(file.read_text()) for file in tmp_path.iterdir()]
    assert sum(sizes) == _COUNT
    assert len(sizes) >= 4
    assert max(sizes) * _BYTES <= 1 << 20


class _Numbers(beam.transforms.core.RestrictionProvider):
    def initial_restriction(self, n):
        return OffsetRange(0, n)

    def create_tracker(self, restriction):
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, n, restriction):
        return restriction.size()


class _Slowly(beam.DoFn):
    """Yields the numbers below n, and puts the rest off after each."""

    def process(self, n, tracker=beam.DoFn.RestrictionParam(_Numbers())):  # noqa: B008  # as Beam has it
        number = tracker.current_restriction().start
        if tracker.try_claim(number):
            yield number
            tracker.defer_remainder()


@pytest.mark.parametrize("workers", [1, 2])
def test_deferred_work_is_done_later(workers):
    def check(found):
        assert sorted(found) == [0, 1, 2, 3, 4]

    beam_job.run(
        lambda root: root | beam.Create([5]) | beam.ParDo(_Slowly()) | beam.combiners.ToList() | beam.Map(check),
        beam_job.parse_options([f"--direct_num_workers={workers}"]),
    )


def test_flatten_of_large_and_small_is_complete():
    def check(found):
        assert sorted((key, len(values)) for key, values in found) == [
            (f"{i:05d}", 1 + (i < 10) + (i < 3000)) for i in range(_COUNT)
        ]

    def build(root):
        parts = [root | f"{n}" >> beam.Create([n]) | f"List{n}" >> beam.FlatMap(_list) for n in (_COUNT, 10, 3000)]
        together = parts | beam.Flatten() | beam.GroupByKey() | beam.MapTuple(lambda key, values: (key, list(values)))
        return together | beam.combiners.ToList() | beam.Map(check)

    beam_job.run(build, beam_job.parse_options(["--direct_num_workers=2"]))


def test_job_does_not_hold_intermediate_data():
    count, size = 20_000, 10_000

    def build(root):
        listed = root | beam.Create([count]) | beam.FlatMap(lambda n: ((i, bytes(size)) for i in range(n)))
        spread = listed | beam.Reshuffle() | "Pass" >> beam.Map(lambda pair: pair)
        return spread | beam.GroupByKey() | beam.MapTuple(lambda key, values: None)

    tracemalloc.start()
    beam_job.run(build, beam_job.parse_options(["--direct_num_workers=2"]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < count * size / 2


def test_small_input_is_spread_over_workers(tmp_path):
    def build(root):
        return root | beam.Create([6]) | beam.FlatMap(_list) | beam.Reshuffle() | beam.ParDo(_NoteBundles(tmp_path))

    beam_job.run(build, beam_job.parse_options(["--direct_num_workers=3"]))
    assert [file.read_text() for file in tmp_path.iterdir()] == ["2", "2", "2"]


def test_failure_of_one_worker_stops_the_others(tmp_path):
    begun = collections.deque()

    def fail(element):
        begun.append(threading.get_ident())
        if len(begun) == 1:
            raise ValueError("this one")
        time.sleep(0.002)

    with pytest.raises(Exception, match="this one"):
        beam_job.run(
            lambda root: root | beam.Create([_COUNT]) | beam.FlatMap(_list) | beam.Reshuffle() | beam.Map(fail),
            beam_job.parse_options(["--direct_num_workers=2"]),
        )
    assert len(begun) < _COUNT / 2


def _listening(pid):
    """Returns the addresses on which a process listens by TCP."""
    inodes = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(link))
    tables = [pathlib.Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for line in itertools.chain(*tables)]
    return {_address(row[1].partition(":")[0]) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


def _address(text):
    """Returns an address that /proc/net shows: 32-bit words in hexadecimal, in the machine's byte order."""
    words = [int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return str(getattr(address, "ipv4_mapped", None) or address)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("mode", ["multi_threading", "multi_processing"])
def test_local_runner_listens_on_loopback_alone(mode, tmp_path):
    def look(_):
        ours = [psutil.Process(launcher), *psutil.Process(launcher).children(recursive=True)]
        found = {address for one in ours for address in _listening(one.pid)}
        (tmp_path / uuid.uuid4().hex).write_text(f"{len(ours)} {' '.join(found)}")

    launcher = os.getpid()
    flags = [f"--direct_running_mode={mode}", "--direct_num_workers=2"]
    beam_job.run(
        lambda root: root | beam.Create([1, 2]) | beam.Reshuffle() | beam.Map(look), beam_job.parse_options(flags)
    )
    looks = [path.read_text().split() for path in tmp_path.iterdir()]
    assert len(looks) == 2
    for processes, *addresses in looks:
        assert addresses and set(addresses) <= {"127.0.0.1", "::1"}
        assert int(processes) > (mode == "multi_processing")


@pytest.mark.parametrize("mode", ["multi_threading", "multi_processing"])
def test_failed_step_prints_no_trace(mode, capfd):
    def fail(_):
        raise ValueError("this one")

    flags = [f"--direct_running_mode={mode}", "--direct_num_workers=1"]
    with pytest.raises(RuntimeError, match="this one"):
        beam_job.run(lambda root: root | beam.Create([1]) | beam.Map(fail), beam_job.parse_options(flags))
    assert capfd.readouterr().err == ""


# Runs a job in a process in which the third server of the runner gets no thread.
_SHORT_OF_THREADS = """
import sys, threading
import apache_beam as beam
from photochrom import cli
from photochrom.jobs import beam_job
start, servers = threading.Thread.start, []
def start_two(thread):
    servers.extend([1] if "grpc" in getattr(thread._target, "__module__", "") else [])
    if len(servers) == 3:
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = start_two
options = beam_job.parse_options(["--direct_num_workers=1"])
cli.end(cli.call(lambda argv: beam_job.run(lambda root: root | beam.Create([1]), options)))
"""


def test_shortage_of_threads_ends_the_process():
    done = subprocess.run(
        [sys.executable, "-c", _SHORT_OF_THREADS], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1 and "photochrom: out of memory: give fewer workers" in done.stderr.splitlines()[-1]


def test_worker_process_that_never_starts_ends_job(monkeypatch):
    monkeypatch.setattr(local_workers, "_PROCESS", "no.such.module")
    flags = ["--direct_running_mode=multi_processing", "--direct_num_workers=1"]
    with pytest.raises(RuntimeError, match="Worker subprocess exited with return code 1"):
        beam_job.run(lambda root: root | beam.Create([1]), beam_job.parse_options(flags))
