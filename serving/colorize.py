"""`photochrom colorize`: grayscale archive + model bundle -> coloured copies + manifest."""

import argparse
import datetime
import functools
import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from photochrom import cli, errors, settings
from photochrom.flags import names
from photochrom.jobs import output_lock, progress
from photochrom.model import bundle
from photochrom.sources import inputs
from photochrom.storage import files
from photochrom.storage.names import printable
from serving import review_page
from serving.config import ColorizeConfig
from serving.manifest import changes, reader
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import Run, Summary
from serving.review import apply, decisions
from serving.screening import exclusion

_EPILOG = """\
examples:
  photochrom colorize --input scans/ --input box7.zip --output coloured
  photochrom colorize --input list.csv --model bundle --output coloured --max_failures=1%
  photochrom colorize --input scans/ --exclude restricted.txt --output coloured
  photochrom colorize --input scans/ --output trial --estimate

Every input ends as one row of DIR/manifest/items-*.jsonl: done, skipped or failed, with a reason. The same command
again does only what is new, changed or failed; it also continues a run that was stopped (Ctrl-C, SIGTERM, a crash).
Flags that are not listed go to Beam: --runner, --direct_num_workers, --setup_file and so on; the default is the local
runner with a thread for each core.
"""


# The most frequent reasons that the last line names, where nothing is done.
_REASONS = 3


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this job's flags."""
    return settings.parser(
        "colorize",
        "Colorizes an archive of black-and-white scans; sizes, formats and folders are kept.",
        _EPILOG,
        ColorizeConfig,
    )


def run(argv: Sequence[str] | None = None) -> Any:
    """Runs the job and returns Beam's pipeline result.

    Raises:
        UsageError: a flag, an input, the bundle, the output folder or its manifest does not fit; nothing was done.
        TooManyFailures: the job finished, more inputs failed than `max_failures`.
        NothingDone: the job finished, no input is coloured or copied.
    """
    parser = build_parser()
    flags, beam_flags = parser.parse_known_args(argv)
    config = settings.from_flags(ColorizeConfig, flags)
    model = bundle.open_bundle(config.model)
    exclusions = exclusion.open_list(config.exclude)
    decided = decisions.read(config.decisions)
    if signer := config.credentials():
        signer.check()
    # Imported once the flags are known to be good: Beam takes seconds
    from photochrom.jobs import beam_job, clusters, dataflow, tensorflow_setup

    options = beam_job.parse_options(beam_flags, names(parser))
    _check_options(config, options)
    found = inputs.check_output_apart(inputs.parse(config.input), config.output)
    reader.check(config.output)
    if config.sample_size:
        from serving.trial import sample

        sample.check(config.output, config.sample_size)
    files.check_writable(config.output)
    clusters.check_idle(options, config.output)
    paths = OutputPaths(config.output)
    with output_lock.held(config.output, paths.scratch):
        started = datetime.datetime.now(datetime.UTC)
        with progress.shown(paths.progress, "colorize"), progress.stage(paths.progress, "loading TensorFlow"):
            tensorflow_setup.import_tensorflow()
        from serving import canary, pipeline

        def colorize(config: ColorizeConfig, only: frozenset[str] = frozenset(), title: str = "colorize") -> Any:
            def build(root: Any) -> None:
                pipeline.build(root, found, config, model, exclusions, started, only)

            with progress.shown(paths.progress, title):
                return beam_job.run(build, options, config.output)

        drift = canary.check(config, model, functools.partial(colorize, title="canary"))
        if not canary.is_too_far(drift, config):
            if config.decisions:
                print(*apply.apply(config.output, decided).lines(config.output), sep="\n")
            result = colorize(config)
    if drift:
        canary.report(drift, config)
    if dataflow.is_template(options):
        print("the job is described, for Dataflow to launch: nothing was coloured yet")
        return result
    _conclude(config, result, exclusions, options)
    return result


def _check_options(config: ColorizeConfig, options: Any) -> None:
    """Refuses settings that do not fit the runner."""
    from photochrom.jobs import clusters, dataflow, extras

    clusters.check_job(options, config.paths())
    for flag, is_given in (("canary", config.canary), ("review", config.review), ("decisions", config.decisions)):
        if is_given and dataflow.is_template(options):
            raise errors.UsageError(f"--{flag} needs the copies of a job, --template_location only describes one")
    if config.accelerator and dataflow.has_accelerators(options):
        raise errors.UsageError(
            "--accelerator gives GPUs to the model's step, worker_accelerator in --dataflow_service_options to all: "
            "give one of them"
        )
    if config.canary:
        extras.check("--canary", ["skimage"])
    if config.estimate and not clusters.is_local(options):
        raise errors.UsageError("--estimate measures this machine; leave out --runner, or --estimate")


def _conclude(config: ColorizeConfig, result: Any, exclusions: exclusion.ExclusionList, options: Any) -> None:
    """Prints what the run did, makes the review page if it is asked for, and judges the failures."""
    summary, ended = reader.read_summary(config.output), reader.read_runs(config.output)[-1]
    printed: dict[str, Any] = {"output": config.output, **summary.to_json(), "run": ended.to_json()}
    _report(config, summary, exclusions)
    if config.estimate:
        printed["estimate"] = _estimate(config, result, ended, options)
    if config.review:
        review_page.make(config.output, config.decoder(), options)
    else:
        print(f"to look at them, accept and reject: photochrom review {shlex.quote(config.output)}")
    print(changes.line(ended))
    if config.json:
        print(json.dumps(printed))
    _check_failures(config, summary, ended)


def _report(config: ColorizeConfig, summary: Summary, exclusions: exclusion.ExclusionList) -> None:
    print(*summary.lines(config.output), sep="\n")
    if exclusions.path and not config.sample_size:
        idle = exclusions.idle(row.key for _, row in reader.read_rows(config.output) if row.reason == "excluded")
        if idle:
            print(f"  no input fits {len(idle)} of the lines of --exclude, such as {printable(idle[0])!r}")
    print(f"pictures in {config.output}/images, rows in {config.output}/manifest/items-*.jsonl")


def _estimate(config: ColorizeConfig, result: Any, ended: Run, options: Any) -> dict[str, Any]:
    """Prints the estimate for all inputs, and returns it."""
    from serving.trial import estimate

    workers = options.get_all_options()["direct_num_workers"]
    sampled = estimate.measure(result, config.output, config.sample_size, ended.seconds, workers)
    print(sampled.line(estimate.free_bytes(config.output)))
    return sampled.to_json()


def _check_failures(config: ColorizeConfig, summary: Summary, ended: Run) -> None:
    failed, inputs, is_allowed = config.judged(ended)
    if not is_allowed:
        kind = "new or changed inputs newly" if config.max_failures.startswith("new:") else "inputs"
        raise errors.TooManyFailures(
            f"{failed} of {inputs} {kind} failed, --max_failures allows {config.max_failures}; "
            f"`photochrom status --list failed {shlex.quote(config.output)}` names them"
        )
    if summary.listed and not summary.done:
        counts = sorted(((count, reason) for reason, count in summary.reasons.items()), reverse=True)
        reasons = ", ".join(f"{count} {reason.replace(':', ': ')}" for count, reason in counts[:_REASONS])
        raise errors.NothingDone(
            f"none of {summary.listed} inputs is done ({reasons}); the rows in {config.output}/manifest state why"
        )


if __name__ == "__main__":
    sys.exit(cli.end(cli.call(run)))
