"""The code under test: the decoder of pictures; listing, reading and decoding of archives and manifests; whole runs."""

import collections
import itertools
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Protocol

import psutil

from benchmarks.fuzz import limits
from photochrom import errors
from photochrom.imaging.sandbox import decoder, pool
from photochrom.sources import inputs, member_reader
from photochrom.sources.source import Source
from serving.copies import formats, metadata
from serving.copies.frame import Frame
from serving.copies.provenance import Provenance
from tests.support import mutated_listings, mutations

Ends = collections.Counter[str]
# Ends that are faults.
FAULTS = frozenset(("decoder_crashed", "decode_timeout", "escape", "hang", "memory", "unforeseen"))
_PROVENANCE = Provenance("tint", "sha256:12", "34" * 32, "scan.tif", "2026-01-31")
# A listing of more inputs is cut.
_MOST_SOURCES = 200
# The limit of this process is not for a command of its own.
_UNLIMITED = (
    "import resource; hard = resource.getrlimit(resource.RLIMIT_AS)[1]; "
    "resource.setrlimit(resource.RLIMIT_AS, (hard, hard)); "
)
_ROOT = pathlib.Path(__file__).parents[2]


class Target(Protocol):
    """A part of the code that takes inputs.

    Attributes:
        name: for the report.
        peak: the most resident memory of any process for one input, bytes; of the fuzzer's own, what it grew by.
    """

    name: str
    peak: int

    def make(self, rng: random.Random) -> dict[str, bytes]:
        """Returns mutated inputs: file name -> content."""

    def run(self, files: dict[str, bytes]) -> Ends:
        """Processes inputs; returns how many ended how."""


class Pictures:
    """Pages and pixels of a picture, in a decoder's process, and the metadata of its copy."""

    name = "pictures"

    def __init__(self, guarded: decoder.Decoder, more: Sequence[bytes] = ()):
        self.peak = 0
        self._guarded = guarded
        self._seeds = [*mutations.seeds().values(), *more]

    def make(self, rng: random.Random) -> dict[str, bytes]:
        return {"picture": mutations.mutate(rng, self._seeds)}

    def run(self, files: dict[str, bytes]) -> Ends:
        limits.reset_peaks(pool.helper_pids())
        (data,) = files.values()
        try:
            return Ends((_decoded(self._guarded, data),))
        finally:
            self.peak = max(self.peak, *map(limits.peak_bytes, pool.helper_pids()), 0)


def _decoded(guarded: decoder.Decoder, data: bytes) -> str:
    """Returns "picture", or the reason of a refusal; makes the metadata of a copy too."""
    try:
        guarded.count_pages(data)
    except errors.DecodeError as error:
        if error.reason in FAULTS:
            return error.reason
    try:
        picture = guarded.decode(data)
    except errors.DataError as error:
        return error.reason
    height, width = picture.pixels.shape[:2]
    format, _ = formats.choose(picture.format, formats.KEEP, width, height)
    frame = Frame(width, height, picture.metadata.orientation)
    blocks = metadata.prepare(picture.metadata, _PROVENANCE, format, frame)
    return "picture with damaged metadata" if blocks.sidecars else "picture"


class Listings:
    """Archives or manifests: listed, read and decoded; nothing but the spool folder may change."""

    def __init__(self, name: str, folder: pathlib.Path, guarded: decoder.Decoder):
        self.name = name
        self.peak = 0
        self._guarded = guarded
        self._inputs, self._spool = folder / "scans", folder / "spool"
        self._folder = folder
        mutated_listings.write_scans(self._inputs)
        self._seeds = mutated_listings.archives() if name == "archives" else mutated_listings.manifests()

    def make(self, rng: random.Random) -> dict[str, bytes]:
        return dict([mutated_listings.mutate(rng, self._seeds)])

    def run(self, files: dict[str, bytes]) -> Ends:
        shutil.rmtree(self._spool, ignore_errors=True)
        self._spool.mkdir(parents=True)
        ((name, data),) = files.items()
        path = self._inputs / name
        path.write_bytes(data)
        before = limits.files_below(self._folder, [self._spool])
        limits.reset_peaks([os.getpid(), *pool.helper_pids()])
        own = limits.peak_bytes(os.getpid())
        try:
            ends = self._list(path)
        finally:
            grown = limits.peak_bytes(os.getpid()) - own  # this process may hold more than a job's does
            self.peak = max(self.peak, grown, *map(limits.peak_bytes, pool.helper_pids()))
            changed = limits.files_below(self._folder, [self._spool]) ^ before
            path.unlink(missing_ok=True)
        return ends + Ends({"escape": len(changed)})

    def _list(self, path: pathlib.Path) -> Ends:
        try:
            parsed = inputs.parse([str(path)])
            listed = itertools.chain.from_iterable(map(inputs.list_files, parsed))
            sources = itertools.chain.from_iterable(inputs.expand(one, str(self._spool)) for one in listed)
            found = list(itertools.islice(sources, _MOST_SOURCES))  # the spool file is complete at the end
        except errors.UsageError:
            return Ends(("usage_error",))
        return Ends(map(self._read, found))

    def _read(self, source: Source) -> str:
        if source.failure:
            return source.failure.reason
        try:
            data = member_reader.read(source)
        except errors.DataError as error:
            return error.reason
        return _decoded(self._guarded, data)


class Runs:
    """The command colorize on a folder of mutated files, then verify."""

    name = "runs"
    _FILES, _SECONDS = 40, 900

    def __init__(self, folder: pathlib.Path, timeout: float, max_pixels: int):
        self.peak = 0
        self._folder = folder
        self._flags = [f"--image_timeout={timeout:g}", f"--max_pixels={max_pixels}", "--model", self._bundle()]
        self._pictures = mutations.seeds()
        self._archives, self._manifests = mutated_listings.archives(), mutated_listings.manifests()

    def _bundle(self) -> str:
        from tests.support import tint  # TensorFlow, which the other targets do not need

        return tint.make_bundle(self._folder / "bundle")

    def make(self, rng: random.Random) -> dict[str, bytes]:
        files = {}
        for number in range(self._FILES):
            if number % 2:
                name = rng.choice(sorted(self._pictures))
                data = mutations.mutate(rng, [self._pictures[name]])
            else:
                name, data = mutated_listings.mutate(rng, self._archives)
            files[f"{number:02d}-{name}"] = data
        if rng.random() < 0.3:  # a file that is no manifest ends the run
            files["list.txt"] = mutated_listings.mutate(rng, self._manifests)[1]
        return files

    def run(self, files: dict[str, bytes]) -> Ends:
        scans, output = self._folder / "scans", self._folder / "output"
        for folder in (scans, output):
            shutil.rmtree(folder, ignore_errors=True)
        mutated_listings.write_scans(scans / "good")
        for name, data in files.items():
            (scans / name).write_bytes(data)
        before = limits.files_below(self._folder, [output])
        given = [f"--input={scans}", *(f"--input={scans / name}" for name in files if name == "list.txt")]
        ends = Ends((self._command("colorize", *given, f"--output={output}", *self._flags),))
        if (output / "manifest/summary.json").exists():
            ends[self._command("verify", str(output))] += 1
        return ends + Ends({"escape": len(limits.files_below(self._folder, [output]) ^ before)})

    def _command(self, *argv: str) -> str:
        """Returns the end of a command: its name and status; "unforeseen" and the like for faults."""
        script = _UNLIMITED + "import sys; from photochrom.cli import main; sys.exit(main())"
        log = self._folder.with_suffix(".log")
        began = time.monotonic()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(_ROOT), os.environ.get("PYTHONPATH", "")))}
        command = [sys.executable, "-c", script, *argv]
        with open(log, "wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as process:
            while process.poll() is None:
                self.peak = max(self.peak, _largest(process.pid))
                if time.monotonic() - began > self._SECONDS:
                    process.kill()
                    return "hang"
                time.sleep(0.1)
        allowed = {"colorize": (0, 2, 3), "verify": (0,)}[argv[0]]
        return f"{argv[0]} {process.returncode}" if process.returncode in allowed else f"unforeseen end of {argv[0]}"


def _largest(pid: int) -> int:
    """Returns the most resident memory that any process below one has had, bytes."""
    try:
        process = psutil.Process(pid)
        return max(limits.peak_bytes(one.pid) for one in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0
