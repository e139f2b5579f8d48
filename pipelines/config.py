"""The settings of `photochrom prepare`."""

import dataclasses
from typing import Any

from photochrom.imaging.sandbox.decoder import DEFAULT_MAX_PIXELS, DEFAULT_TIMEOUT, Decoder
from photochrom.model import signature
from photochrom.settings import check, check_lines, setting
from photochrom.storage import files
from pipelines import splits

# Settings that older versions do not have.
_RECENT = ("stratify", "colourless")
# Settings that only the dataset's card has.
_CARD = ("licence", "credit", "homepage")


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
    """Settings of the job; flags of the same names fill it."""

    input: tuple[str, ...] = setting(
        "photographs: a folder, glob, zip, tar, tar.gz or manifest, repeatable. A manifest names one source a row: "
        ".txt a path a line, .csv in the column `source` (comma, semicolon or tab), .jsonl in the field `source`",
        group="input and output",
        metavar="PATH",
    )
    output: str = setting("folder of the dataset; a stopped run is continued", group="input and output", metavar="DIR")
    image_size: int = setting(
        "side of the square records, px; a multiple of 32",
        256,
        group="records",
        unit="px",
        at_least=signature.SIZE_STEP,
        at_most=signature.MAX_IMAGE_SIZE,
        multiple_of=signature.SIZE_STEP,
    )
    ab_stride: int = setting("px of lightness for one px of ab, along each axis", 2, group="records", choices=(1, 2, 4))
    split: str = setting("shares of the splits, which add up to 1", splits.DEFAULT, group="records")
    stratify: str = setting(
        "regular expression, searched in each key, whose groups name the photograph's kind: each kind is divided by "
        "--split on its own, by order of the keys' digests, so that every split has the same share of it. Without it "
        "the split of a photograph follows from its own key, whatever other photographs there are",
        "",
        group="records",
        metavar="REGEX",
    )
    num_shards: int = setting(
        "shards of the largest split, the others in proportion; 0: one for 1000 inputs", 0, group="records", at_least=0
    )
    colourless: str = setting(
        "photographs without colour, gray and toned: refuse, because they contain no colours to learn; or keep, for "
        "`train --unlabelled`, which learns the colours of other models on them",
        "refuse",
        group="records",
        choices=("refuse", "keep"),
    )
    compression: str = setting("compression of the TFRecord files", "none", group="records", choices=("none", "gzip"))
    seed: int = setting("seed of the assignment of keys to splits and shards", 0, group="records")
    near_duplicates: str = setting(
        "copies of a photograph (resized, recompressed, toned, mirrored, cropped by a few percent) go into one split, "
        "which avoids train/test leakage; ignore: no search, each photograph is assigned by its own key",
        "together",
        group="records",
        choices=("together", "ignore"),
    )
    embed: str = setting(
        "features bundle (`photochrom features`): its network's features of each training record are written beside "
        "the records, for `train --cached_features`; EfficientNetLite0 takes 2 MB a record of 256 px. The records do "
        "not change",
        "",
        group="records",
        metavar="BUNDLE",
    )
    licence: str = setting(
        "licence of the photographs, for the dataset's card: a name such as CC-BY-4.0, a URL, or a text",
        "",
        group="dataset card",
        metavar="LICENCE",
    )
    credit: str = setting("people or institutions to be credited", "", group="dataset card", metavar="TEXT")
    homepage: str = setting("source of the photographs, a URL or a text", "", group="dataset card", metavar="URL")
    max_pixels: int = setting(
        "larger photographs are refused by their header, px",
        DEFAULT_MAX_PIXELS,
        group="limits",
        unit="px",
        at_least=1,
    )
    image_timeout: int = setting(
        "time limit for reading and decoding one photograph, seconds; beyond it the photograph counts as broken",
        DEFAULT_TIMEOUT,
        group="limits",
        unit="s",
        at_least=1,
    )

    def __post_init__(self) -> None:
        check(self)
        splits.parse(self.split)
        if self.stratify:
            splits.compile_kinds(self.stratify)
        check_lines(self, _CARD)

    def paths(self) -> dict[str, tuple[str, ...]]:
        """Returns the paths that workers have to reach, by flag."""
        embed = (self.embed,) if self.embed else ()
        return {"--input": self.input, "--output": (self.output,), "--embed": embed}

    @property
    def scratch(self) -> str:
        """The scratch folder, deleted at the end."""
        return files.join(self.output, ".prepare")

    def decoder(self) -> Decoder:
        """Returns the decoder with these limits."""
        return Decoder(self.max_pixels, self.image_timeout)

    def record_settings(self) -> dict[str, Any]:
        """Returns the settings that decide the bytes of the dataset, besides its inputs."""
        values = dataclasses.asdict(self)
        for name in ("input", "output", "embed", "image_timeout", *_CARD):
            del values[name]
        for field in dataclasses.fields(self):
            # Datasets of versions without these settings have the same bytes, and keep their digest.
            if field.name in _RECENT and values[field.name] == field.default:
                del values[field.name]
        return values
