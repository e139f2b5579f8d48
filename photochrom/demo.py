"""`photochrom demo`: prepare, train, evaluate and colorize on photographs that come with the project."""

import argparse
import importlib
import pathlib
import sys
import time
import zipfile
from collections.abc import Sequence

from photochrom import cli, errors
from photochrom.flags import Parser
from photochrom.storage import files

SAMPLES = pathlib.Path(__file__).parent / "demo_photographs"
_COLOUR = ("colour", "colour-box.zip", "colour-roll.tar.gz")
_GRAYSCALE = ("grayscale", "grayscale-box.zip")
_SHEET_STRIPS = 3


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the demo's flags."""
    parser = Parser(
        prog="photochrom demo",
        description="Runs the whole workflow on 41 photographs that come with the project: prepares 32 colour ones, "
        "fine-tunes the model that comes with the project on them for about half a minute, evaluates the result, and "
        "colorizes 9 gray ones with it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--output", default="demo-out", metavar="DIR", help="a new folder for all that is made")
    parser.add_argument("--steps", default=40, type=int, help="steps of fine-tuning")
    return parser


def run(argv: Sequence[str] | None = None) -> str:
    """Runs the demo and returns the path of the sheet of pictures.

    Raises:
        UsageError: the output folder has other files in it.
    """
    flags = build_parser().parse_args(argv)
    output = pathlib.Path(flags.output)
    files.check_writable(str(output))
    if any(output.iterdir()) and not (output / "dataset").exists():
        raise errors.UsageError(f"--output {output} holds other files; choose a new or an empty folder")
    dataset, model, evaluation, coloured = (output / name for name in ("dataset", "model", "evaluation", "coloured"))
    started = time.monotonic()
    prepared = f"--output={dataset}", "--image_size=256", "--ab_stride=4", "--split=train=0.6,validation=0.4"
    _step("prepare", *_inputs(_COLOUR), *prepared)
    _step(
        "train",
        *(f"--data={dataset}", f"--model_dir={model}", "--init=default", "--freeze_batch_norm", "--batch_size=8"),
        *("--steps=0", f"--fine_tune_steps={flags.steps}", "--fine_tune_learning_rate=2e-5", "--crop=160"),
        *("--confidence_steps=10", f"--eval_every={max(1, flags.steps // 2)}"),
    )
    _step("evaluate", f"--model={model}/bundle", f"--data={dataset}", f"--output={evaluation}")
    _step("colorize", *_inputs(_GRAYSCALE), f"--model={model}/bundle", f"--output={coloured}")
    sheet = _write_sheet(output, coloured)
    print(f"\nThe whole workflow took {time.monotonic() - started:.0f} s. Look at:")
    print(
        f"  {sheet}  before and after\n  {evaluation}/report.html  metrics, plots, pictures\n"
        f"  {coloured}/images  the coloured copies"
    )
    print(
        "The report flatters: the model that comes with the project has seen most of these photographs in colour. On "
        "others gray is nearer to the truth in a third of cases."
    )
    return str(sheet)


def _inputs(names: Sequence[str]) -> list[str]:
    return [f"--input={SAMPLES / name}" for name in names]


def _step(command: str, *argv: str) -> None:
    print(f"\n$ photochrom {command} {' '.join(argv)}", flush=True)
    importlib.import_module(cli.COMMANDS[command].module).run(list(argv))


def _write_sheet(output: pathlib.Path, coloured: pathlib.Path) -> pathlib.Path:
    """Draws the originals next to their coloured copies, from the rows of the manifest."""
    from photochrom.imaging import contact_sheet, decoding
    from photochrom.storage import json_lines

    rows, captions = [], []
    manifest = sorted(coloured.glob("manifest/items-*.jsonl"))
    for row in (row for path in manifest for row in json_lines.read(str(path)) if row["status"] == "done"):
        pair = _sample(row["key"]), (coloured / row["output"]).read_bytes()
        rows.append([decoding.decode(data, max_pixels=10**8).opaque_rgb() for data in pair])
        captions.append(row["key"])
    path = output / "before-after.png"
    path.write_bytes(
        contact_sheet.to_png(
            contact_sheet.contact_sheet(rows, captions, ("before", "after"), cell=220, strips=_SHEET_STRIPS)
        )
    )
    return path


def _sample(key: str) -> bytes:
    """Returns the bytes of a sample, a file or a member of a zip, by its key."""
    file, _, member = key.partition("!")
    if not member:
        return (SAMPLES / file).read_bytes()
    with zipfile.ZipFile(SAMPLES / file) as box:
        return box.read(member)


if __name__ == "__main__":
    sys.exit(cli.end(cli.call(run)))
