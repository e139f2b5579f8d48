"""Some hundred mutated pictures of every format: each gives a picture or a reason. `benchmarks/fuzz.py` has more."""

import random

import hypothesis
import pytest
from hypothesis import strategies
from PIL import features

from photochrom import errors
from photochrom.imaging.picture import FORMATS
from photochrom.imaging.sandbox import decoder
from tests.support import mutations

FILES = mutations.seeds()
# Reasons that a mutated file may have; these files had none of them when they were tried.
FAULTS = ("decoder_crashed", "decode_timeout")
GUARDED = decoder.Decoder(1_000_000, timeout_seconds=60)


def end_of(data: bytes) -> str:
    """Returns the outcome of a file; anything but a picture or a DataError fails the test."""
    try:
        picture = GUARDED.decode(data)
    except errors.DataError as error:
        return error.reason
    assert 0 < picture.pixels.shape[0] * picture.pixels.shape[1] <= 1_000_000
    return "picture"


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".avif")])
def test_decoder_reads_the_unmutated_files(name):
    assert end_of(FILES[name]) == "picture"


def test_seeds_have_every_format():
    readable = set(FORMATS) - (set() if features.check("avif") else {"AVIF"})
    assert {GUARDED.decode(data).format for data in FILES.values()} == readable


@hypothesis.settings(max_examples=300, derandomize=True, deadline=None, database=None)
@hypothesis.given(strategies.randoms(use_true_random=False), strategies.sampled_from(sorted(FILES)))
def test_decoder_of_mutated_file_gives_picture_or_reason(rng: random.Random, name: str):
    assert end_of(mutations.mutate(rng, [FILES[name]])) not in FAULTS


@hypothesis.settings(max_examples=100, derandomize=True, deadline=None, database=None)
@hypothesis.given(strategies.binary(max_size=300), strategies.sampled_from(sorted(FILES)), strategies.integers(0, 400))
def test_header_with_noise_gives_picture_or_reason(tail: bytes, name: str, kept: int):
    assert end_of(FILES[name][:kept] + tail) not in FAULTS
