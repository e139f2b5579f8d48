"""A short form of benchmarks/fuzz: some archives and manifests, and how faults are found and counted."""

import random
import sys
import time

import pytest

from benchmarks.fuzz import __main__ as fuzz
from benchmarks.fuzz import limits, targets
from photochrom.imaging.sandbox import decoder
from tests.support import mutated_listings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
GUARDED = decoder.Decoder(1_000_000, timeout_seconds=60)


class Misbehaving:
    """A target that does as the name of its input says."""

    name = "misbehaving"

    def __init__(self):
        self.peak = 0

    def make(self, rng: random.Random) -> dict[str, bytes]:
        return {"a": rng.randbytes(4)}

    def run(self, files: dict[str, bytes]) -> targets.Ends:
        raise NotImplementedError


class Raising(Misbehaving):
    def run(self, files):
        raise TypeError("int() argument")


class Sleeping(Misbehaving):
    def run(self, files):
        time.sleep(60)


class Filling(Misbehaving):
    def run(self, files):
        self.peak = 3_000_000_000
        return targets.Ends(("picture",))


@pytest.mark.parametrize("kind", ["archives", "manifests"])
def test_campaign_on_listings_finds_no_fault(kind, tmp_path):
    campaign = fuzz.Campaign({kind: targets.Listings(kind, tmp_path, GUARDED)}, seconds=60)
    for number in range(60):
        campaign.run(kind, number)
    assert campaign.faults == {}
    ends = campaign.tallies[kind].ends
    assert ends["picture"] and ends.total() > 60 and len(ends) > 4


@pytest.mark.parametrize(
    ("target", "end"), [(Raising, "unforeseen TypeError"), (Sleeping, "hang"), (Filling, "memory")]
)
def test_campaign_keeps_and_reports_faulty_inputs(target, end, tmp_path):
    campaign = fuzz.Campaign({"misbehaving": target()}, seconds=0.2, keep=tmp_path)
    campaign.run("misbehaving", 7)
    ((fault, found),) = campaign.faults.items()
    assert fault.startswith(f"misbehaving: {end}") and found == ["misbehaving-7"]
    assert fault in campaign.report()
    assert len((tmp_path / "misbehaving-7" / "a").read_bytes()) == 4


def test_campaign_repeats_an_input_of_a_seed(tmp_path):
    target = targets.Listings("archives", tmp_path, GUARDED)
    assert target.make(random.Random("0 archives 3")) == target.make(random.Random("0 archives 3"))


@pytest.mark.parametrize("kind", ["archives", "manifests"])
def test_listing_reads_the_unmutated_files(kind, tmp_path):
    target = targets.Listings(kind, tmp_path, GUARDED)
    files = mutated_listings.archives() if kind == "archives" else mutated_listings.manifests()
    for name, data in files.items():
        expected = {"empty.zip": 0, "wide.txt": None}.get(name, 2)
        assert expected is None or target.run({name: data})["picture"] >= expected, name


def test_files_below_finds_new_and_changed_files(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    (tmp_path / "a").write_text("1")
    before = limits.files_below(tmp_path, [spool])
    (spool / "b").write_text("2")
    assert limits.files_below(tmp_path, [spool]) == before
    (tmp_path / "a").write_text("12")
    (tmp_path / "c").symlink_to("nowhere")
    assert len(limits.files_below(tmp_path, [spool]) ^ before) == 3
