import dataclasses
import subprocess
import sys

import pytest

from serving.inference import memory
from serving.trial.estimate import Sample

SAMPLE = Sample(
    found=1000, inputs=20, scale=50.0, megapixels=200.0, copy_bytes=400_000_000, seconds=300.0, other_seconds=12.0,
    memory_bytes=2_500_000_000, workers=2,
)  # fmt: skip


def test_estimate_scales_work_and_adds_the_rest():
    assert SAMPLE.to_json() == {
        "inputs": 1000, "seconds": 15_012.0, "copy_bytes": 20_000_000_000, "memory_bytes": 2_500_000_000, "workers": 2,
        "sample": 20, "megapixels": 200.0, "seconds_per_megapixel": 1.5, "copy_bytes_per_megapixel": 2_000_000.0,
    }  # fmt: skip


def test_estimate_is_one_line():
    assert SAMPLE.line(10**12) == (
        "estimate for all 1000 inputs on this machine, 2 workers: 4 h 10 min, 20 GB of copies, 2.5 GB of memory; "
        "1.50 s and 2.0 MB a megapixel; from 20 inputs of 10.0 megapixels on average"
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "20 GB of copies (9.0 GB free: too little)"),
        ({"megapixels": 0.0, "copy_bytes": 0}, "0 bytes of copies, 2.5 GB of memory; no copy, so nothing a megapixel"),
        ({"found": 20, "scale": 1.0}, "5 min 12 s, 400 MB of copies, "),
    ],
)
def test_estimate_names_scarce_space_and_no_copies(values, words):
    assert words in dataclasses.replace(SAMPLE, **values).line(9_000_000_000)


def test_peak_of_another_process_is_read():
    code = "b = b'x' * 90_000_000; print(len(b), flush=True); input()"  # zeros would take no memory
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"90000000\n"
        assert 90_000_000 < memory.peak(child.pid) < 200_000_000
        child.communicate(b"\n")
    assert memory.peak(child.pid) == 0
