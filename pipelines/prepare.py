"""`photochrom prepare`: colour photographs -> Lab TFRecords, their statistics and a dataset card."""

import argparse
import contextlib
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from photochrom import cli, dataset, errors, settings
from photochrom.flags import names
from photochrom.jobs import output_lock, progress
from photochrom.model import bundle
from photochrom.sources import inputs
from photochrom.storage import files, plain_path
from pipelines.config import PrepareConfig

_log = logging.getLogger("photochrom")
_EPILOG = """\
examples:
  photochrom prepare --input photographs/ --input more.zip --output dataset
  photochrom prepare --input 'gs://bucket/scans/**/*.jpg' --output gs://bucket/dataset \\
      --runner=DataflowRunner --project=P --region=R --temp_location=gs://bucket/tmp --setup_file=./setup.py

Flags that are not listed go to Beam: --runner, --direct_num_workers, --direct_running_mode and so on. The default
is the local runner with a thread for each core. A photograph that is broken, too small or without colour is
skipped: DIR/failures-*.jsonl states the reason.
"""


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this job's flags."""
    return settings.parser(
        "prepare", "Converts colour photographs into CIE-Lab TFRecords for training.", _EPILOG, PrepareConfig
    )


def run(argv: Sequence[str] | None = None) -> Any:
    """Runs the job and returns Beam's pipeline result.

    Raises:
        UsageError: a flag, an input or the output folder is invalid; nothing was done.
        PhotochromError: no photograph could be used, or the rows do not match the listing.
    """
    parser = build_parser()
    flags, beam_flags = parser.parse_known_args(argv)
    config = settings.from_flags(PrepareConfig, flags)
    network = bundle.open_bundle(config.embed, bundle.FEATURES) if config.embed else None
    # Beam and TensorFlow take seconds to import: after the flags are checked
    from photochrom.jobs import beam_job, clusters, dataflow, tensorflow_setup

    options = beam_job.parse_options(beam_flags, names(parser))
    clusters.check_job(options, config.paths())
    if dataflow.is_template(options):
        raise errors.UsageError(
            "prepare makes no template: its graph depends on files of the output folder during the run; leave out "
            "--template_location"
        )
    if not (clusters.is_local(options) or files.is_local(config.output) or options.get_all_options()["temp_location"]):
        raise errors.UsageError(
            "prepare on a cluster, into a bucket, needs --temp_location=FOLDER, which all workers have under that "
            "path, or gs://BUCKET/FOLDER: TensorFlow writes files there that another worker reads"
        )
    found = inputs.check_output_apart(inputs.parse(config.input), config.output)
    clusters.check_idle(options, config.output)
    _claim_output(config)
    with output_lock.held(config.output, config.scratch):
        tensorflow_setup.import_tensorflow()
        from pipelines import pipeline

        with (
            progress.shown(files.join(config.scratch, "progress"), "prepare"),
            plain_path.plain(config.scratch) if clusters.is_local(options) else contextlib.nullcontext() as work,
        ):
            result = beam_job.run(
                lambda root: pipeline.build(root, found, config, network, work or ""), options, config.output
            )
    _report(config)
    return result


def _claim_output(config: PrepareConfig) -> None:
    """Writes the settings into a new output folder, or checks that an existing dataset has the same settings."""
    path = files.join(config.output, dataset.SETTINGS)
    wanted = config.record_settings()
    if files.exists(path):
        found = json.loads(files.read_bytes(path))
        differing = [name for name in {**wanted, **found} if found.get(name, "") != wanted.get(name, "")]
        if differing:
            name = differing[0]
            raise errors.UsageError(
                f"--output {config.output} holds a dataset made with --{name}={found.get(name, '')}, "
                f"now it is {wanted.get(name, '')!r}; choose another folder, or the same settings to continue"
            )
    elif any(True for _ in files.list_folder(config.output)):
        raise errors.UsageError(f"--output {config.output} holds other files; choose a new or an empty folder")
    files.check_writable(config.output)
    files.write_bytes(path, json.dumps(wanted, indent=2, sort_keys=True).encode())


def _report(config: PrepareConfig) -> None:
    values = json.loads(files.read_bytes(files.join(config.output, dataset.INFO)))
    info = dataset.DatasetInfo.from_json(values, config.output)
    refused = sum(info.refused.values())
    splits = ", ".join(f"{name} {split.examples}" for name, split in info.splits.items())
    print(f"{config.output}: {info.examples} records ({splits}) of {info.inputs} inputs, {refused} refused")
    found = info.near_duplicates
    if found:
        print(
            f"  near-duplicates: {found.inputs} inputs in {found.groups} groups; {found.across_splits} pairs would be "
            f"in different splits by their keys alone, {found.overlap} are"
        )
    for reason, count in info.refused.items():
        print(f"  refused {count:>8}  {reason}")
    if not info.split("train").examples:
        raise errors.PhotochromError(
            f"no photograph could be used for training; {config.output}/failures-*.jsonl states the reasons"
        )


if __name__ == "__main__":
    sys.exit(cli.end(cli.call(run)))
