"""The settings of `photochrom colorize`."""

import dataclasses
import re

from photochrom import __version__
from photochrom.imaging.sandbox.decoder import DEFAULT_TIMEOUT, Decoder
from photochrom.model import bundle
from photochrom.settings import check, digest, setting
from serving.copies import formats, label, provenance
from serving.copies.options import CopyOptions
from serving.credentials.signer import Credentials
from serving.manifest.rows import Run

MAX_SATURATION = 10
# Inputs of an estimate's sample.
SAMPLE = 20
_FAILURES = re.compile(r"(new:)?(\d+)(%?)")
_ACCELERATOR = re.compile(r"type:[\w-]+;count:[1-9]\d*(;[\w:.-]+)*")


@dataclasses.dataclass(frozen=True)
class ColorizeConfig:
    """Settings of the job; flags of the same names fill it."""

    input: tuple[str, ...] = setting(
        "scans: a folder, glob, zip, tar, tar.gz or manifest, repeatable. A manifest names one source a row: "
        ".txt a path a line, .csv in the column `source` (comma, semicolon or tab), .jsonl in the field `source`",
        group="input and output",
        metavar="PATH",
    )
    output: str = setting(
        "folder for DIR/images and DIR/manifest; the originals are never touched",
        group="input and output",
        metavar="DIR",
    )
    model: str = setting(
        "model bundle, as `photochrom train` writes it (MODEL_DIR/bundle), or `default`: the one that comes with "
        "Photochrom",
        bundle.DEFAULT,
        group="input and output",
        metavar="BUNDLE",
    )
    exclude: str = setting(
        "file of restricted items: keys or globs (* ? [...], for the whole key; `#` begins a comment), one a line. "
        "They are not read and get no copy; earlier copies of them are deleted. Workers read the file too",
        "",
        group="input and output",
        metavar="FILE",
    )
    color_inputs: str = setting(
        "treatment of pictures that have colours already; toned ones (sepia) count as black and white",
        "skip",
        group="pictures",
        choices=("skip", "colorize", "copy"),
    )
    toned: str = setting(
        "treatment of toned scans (sepia, cyanotype): colour their lightness like that of a gray one, copy the file "
        "unchanged, or skip them",
        "neutralize",
        group="pictures",
        choices=("neutralize", "keep", "skip"),
    )
    unsuitable: str = setting(
        "treatment of blank pages and pages of text",
        "skip",
        group="pictures",
        choices=("skip", "colorize"),
    )
    negatives: str = setting(
        "treatment of suspected negatives (1 negative in 10 is detected, and 4 of 1,000 photographs by mistake): "
        "colour them with a note in the row, or skip them",
        "colorize",
        group="pictures",
        choices=("colorize", "skip"),
    )
    ensemble: bool = setting(
        "average the model's answers over mirrored and larger views of each picture; takes about 5 times its time",
        False,
        group="pictures",
    )
    pages: str = setting(
        "pages of a multi-page TIFF or PDF: colorize the first alone, or all, each with a row and a copy of its own",
        "first",
        group="pictures",
        choices=("first", "all"),
    )
    saturation: float = setting(
        "factor on the chroma of the model's colours", 1.0, group="pictures", at_least=0, at_most=MAX_SATURATION
    )
    format: str = setting(
        "format of the copies; `keep` writes formats that are only read "
        "(GIF, BMP, PNM, PDF, JPEG 2000, JPEG XL, AVIF, HEIC) as PNG",
        formats.KEEP,
        group="copies",
        choices=formats.CHOICES,
    )
    quality: int = setting(
        "quality of a JPEG or a WebP, 1 to 100; at 100 a WebP is lossless", 95, group="copies", at_least=1, at_most=100
    )
    subsampling: str = setting(
        "chroma subsampling of a JPEG; a lossy WebP always has 4:2:0",
        formats.SUBSAMPLINGS[0],
        group="copies",
        choices=formats.SUBSAMPLINGS,
    )
    mark: str = setting(
        "a visible label: in the lower right corner, or on a border that is added below the picture",
        label.NONE,
        group="copies",
        choices=label.CHOICES,
    )
    mark_text: str = setting("text of the label", label.DEFAULT_TEXT, group="copies", metavar="TEXT")
    digital_source_type: str = setting(
        "origin of a copy, stated in its XMP: a concept of IPTC's vocabulary",
        provenance.DEFAULT_SOURCE_TYPE,
        group="copies",
        choices=provenance.DIGITAL_SOURCE_TYPES,
    )
    c2pa_cert: str = setting(
        "certificate chain (PEM, the signer's first) by which each copy is signed with a C2PA manifest (Content "
        "Credentials). Signed copies are not reproducible byte by byte. Workers read both files",
        "",
        group="copies",
        metavar="FILE",
    )
    c2pa_key: str = setting("its private key (PEM, not encrypted)", "", group="copies", metavar="FILE")
    date: str = setting(
        "date of the copies in their XMP: YYYY-MM-DD, or a time with its zone (default: the day on which the run "
        "starts, in UTC; a copy made again of the same scan by the same model and settings keeps its date)",
        "",
        group="copies",
        metavar="DATE",
    )
    decisions: str = setting(
        "file of decisions that the review page exported: rejected copies are set aside in DIR/rejected, accepted ones "
        "are kept whatever the model and the settings",
        "",
        group="runs",
        metavar="FILE",
    )
    retry: str = setting(
        "rows of earlier runs to redo; rows that an unfinished run has redone already are kept. `rejected` redoes "
        "rejected copies, by other settings, and keeps all others",
        "failed",
        group="runs",
        choices=("failed", "rejected", "all", "none"),
    )
    limit: int = setting(
        "do only so many of the inputs: a sample by the digests of their keys, the same in every run; 0 for all",
        0,
        group="runs",
        unit="inputs",
        at_least=0,
    )
    estimate: bool = setting(
        f"do a sample, of --limit or {SAMPLE} inputs, and print the time, space and memory that all of them will take "
        "on this machine",
        False,
        group="runs",
    )
    canary: int = setting(
        "pictures that a changed model colours first, to compare them with the existing copies; 0 for none",
        0,
        group="runs",
        unit="pictures",
        at_least=0,
    )
    canary_max_drift: float = setting(
        "mean CIEDE2000 between these pictures and the existing copies above which the run stops and changes nothing",
        4.0,
        group="runs",
        at_least=0,
    )
    review: bool = setting("make the review page at the end, as `photochrom review` does", False, group="runs")
    json: bool = setting(
        "print the results of the run as one JSON object, in the last line of stdout", False, group="runs"
    )
    batch_size: int = setting(
        "most pictures in one batch; fewer where memory is short",
        16,
        group="runs",
        at_least=1,
    )
    accelerator: str = setting(
        "accelerator of the workers of the inference step, as Dataflow's resource hint "
        "(type:nvidia-l4;count:1;install-nvidia-driver). Workers of the other steps have none; scans go through a "
        "shuffle in between",
        "",
        group="runs",
        metavar="HINT",
    )
    max_pixels: int = setting(
        "larger scans are refused by their header, px", 300_000_000, group="limits", unit="px", at_least=1
    )
    image_timeout: int = setting(
        "time limit for reading and decoding one scan, seconds; beyond it the scan counts as broken",
        DEFAULT_TIMEOUT,
        group="limits",
        unit="s",
        at_least=1,
    )
    max_failures: str = setting(
        "failed inputs, as a number or a share (5%), above which the exit status is 3; new:0 and new:5% judge only "
        "those that had not failed in the run before, as a share of the new and changed inputs",
        "10%",
        group="limits",
    )

    def __post_init__(self) -> None:
        check(self)
        if self.accelerator and not _ACCELERATOR.fullmatch(self.accelerator):
            raise ValueError(
                f"--accelerator is {self.accelerator}, expected a type and a number such as type:nvidia-l4;count:1"
            )
        if not _FAILURES.fullmatch(self.max_failures):
            raise ValueError(
                f"--max_failures is {self.max_failures}, expected a number such as 20 or a share such as 5%, or either "
                "of new failures, such as new:0"
            )
        if bool(self.c2pa_cert) != bool(self.c2pa_key):
            raise ValueError("--c2pa_cert and --c2pa_key are needed together")
        if self.mark != label.NONE:
            label.check_text(self.mark_text)
        if self.date:
            provenance.check_date(self.date)

    def judged(self, run: Run) -> tuple[int, int, bool]:
        """Returns (failed, of how many inputs, whether that is within `max_failures`) for a finished run."""
        is_new, number, percent = _FAILURES.fullmatch(self.max_failures).groups()  # type: ignore[union-attr]
        failed, inputs = (run.newly_failed, run.new + run.changed) if is_new else (run.failed, run.listed)
        return failed, inputs, failed <= int(number) * (inputs / 100 if percent else 1)

    @property
    def sample_size(self) -> int:
        """The most inputs of which the run does a sample; 0 for all."""
        return self.limit or (SAMPLE if self.estimate else 0)

    def paths(self) -> dict[str, tuple[str, ...]]:
        """Returns the paths that workers have to reach, by flag."""
        model = () if self.model == bundle.DEFAULT else (self.model,)
        given = {f"--{name}": getattr(self, name) for name in ("exclude", "c2pa_cert", "c2pa_key")}
        optional = {flag: (path,) if path else () for flag, path in given.items()}
        return {"--input": self.input, "--output": (self.output,), "--model": model, **optional}

    def decoder(self) -> Decoder:
        """Returns the decoder with these limits."""
        return Decoder(self.max_pixels, self.image_timeout)

    def copy_options(self) -> CopyOptions:
        """Returns the settings of the copies themselves."""
        return CopyOptions(
            self.format, self.quality, self.subsampling, self.saturation, self.mark, self.mark_text, self.credentials()
        )

    def credentials(self) -> Credentials | None:
        """Returns the signer of the copies."""
        return Credentials(self.c2pa_cert, self.c2pa_key) if self.c2pa_cert else None

    def output_digest(self) -> str:
        """Returns the digest of the settings on which the bytes of an output depend, but for its date."""
        names = (
            *("color_inputs", "toned", "unsuitable", "negatives", "ensemble", "max_pixels", "saturation"),
            *("format", "quality", "subsampling", "mark", "mark_text", "digital_source_type"),
        )
        signed = {"c2pa": True} if self.c2pa_cert else {}  # by any certificate: a renewed one makes no copy again
        return digest({**{name: getattr(self, name) for name in names}, **signed, "version": __version__})
