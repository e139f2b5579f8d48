"""Beam options, the choice of the runner, and the listing of inputs, for both Beam jobs."""

import argparse
import contextlib
import dataclasses
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import apache_beam as beam
from apache_beam.options import pipeline_options
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability import portable_runner
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.runner import PipelineRunner

from photochrom import errors, flags
from photochrom.jobs import clusters, dataflow, output_lock, progress
from photochrom.sources import inputs
from photochrom.sources.source import Source
from photochrom.storage import files

# Versions of Beam whose FnApiRunner photochrom.jobs.local_runner extends; with others Beam's own class runs.
TESTED = ("2.77.0",)
_log = logging.getLogger("photochrom")


def parse_options(argv: Sequence[str], own: Sequence[str] = ()) -> pipeline_options.PipelineOptions:
    """Returns Beam's options from the flags that a job does not know; locally, all cores are used by default.

    Args:
        argv: the arguments.
        own: the job's own flags, for messages.

    Raises:
        UsageError: Beam does not know an argument either, or not its value.
    """
    parser = _beams_parser()
    argv = flags.spelled(parser, argv)
    given, unknown = parser.parse_known_args(argv)
    if unknown:
        raise errors.UsageError(flags.describe_unknown(unknown[0], [*own, *flags.names(parser)]))
    if (given.runner or "direct").lower() not in ("direct", "directrunner"):  # Beam takes either case
        return pipeline_options.PipelineOptions(list(argv))
    named = {arg.split("=")[0] for arg in argv}
    local = {
        "--runner": "--runner=DirectRunner",
        "--direct_running_mode": "--direct_running_mode=multi_threading",
        "--direct_num_workers": f"--direct_num_workers={multiprocessing.cpu_count()}",
    }
    return pipeline_options.PipelineOptions([*argv, *(flag for name, flag in local.items() if name not in named)])


def parse_folder_options(
    command: str, folder: str, argv: Sequence[str], own: Sequence[str]
) -> tuple[str, pipeline_options.PipelineOptions]:
    """Returns the absolute path of the output folder that a command works on, and Beam's options.

    Args:
        command: its name, for messages.
        folder: as given.
        argv: the arguments that the command does not know.
        own: the command's own flags, for messages.

    Raises:
        UsageError: an argument that Beam does not accept, or that does not fit such a command.
    """
    options = parse_options(argv, own)
    output = files.absolute(folder.rstrip("/") or folder)
    clusters.check_job(options, {"OUT": (output,)})
    if dataflow.is_template(options):
        raise errors.UsageError(f"--template_location is for colorize; {command} runs its job at once")
    return output, options


def _beams_parser() -> argparse.ArgumentParser:
    """Returns a parser with the flags of all of Beam's options, which raises UsageError."""
    parsers: list[argparse.ArgumentParser] = []
    pipeline_options.PipelineOptions([]).get_all_options(add_extra_args_fn=parsers.append)
    parsers[0].error = _refuse  # type: ignore[method-assign]
    return parsers[0]


def _refuse(message: str) -> NoReturn:
    raise errors.UsageError(message)


@dataclasses.dataclass
class ListSources(beam.PTransform):
    """Inputs -> Source: one for each loose file and each member of an archive.

    Attributes:
        spool_folder: for the unpacked members of compressed tars.
        progress_folder: for the workers' counts.
        counted_as: the count of the sources: `listed`, or `found` where the job takes a part of them.
        is_excluded: whether the input of a key is on the exclusion list.
    """

    spool_folder: str
    progress_folder: str
    is_excluded: Callable[[str], bool] = lambda key: False
    counted_as: str = progress.LISTED

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        return (
            listed_inputs
            | "ListFiles" >> beam.FlatMap(inputs.list_files)
            | "SpreadFiles" >> beam.Reshuffle()
            | "ListMembers" >> beam.FlatMap(self._expand)
        )

    def _expand(self, listed: inputs.Listed) -> Iterator[Source]:
        with progress.stage(self.progress_folder, progress.LISTING):
            for source in inputs.expand(listed, self.spool_folder, self.is_excluded):
                progress.Tally.add(self.progress_folder, self.counted_as)
                yield source


def run(build: Callable[[beam.Pipeline], Any], options: pipeline_options.PipelineOptions, output: str = "") -> Any:
    """Builds a pipeline, runs it to its end and returns its result; with --template_location it is only described.

    Args:
        build: adds the steps.
        options: Beam's.
        output: the job's folder. A cluster continues after a worker died; unfinished files of that worker are removed.

    Raises:
        PhotochromError: the pipeline did not end as done, or a cluster does not answer or fit.
    """
    is_local = clusters.is_local(options)
    if not is_local:
        clusters.check(options)
    if dataflow.is_chosen(options):
        options = dataflow.named(options, output)
    with contextlib.nullcontext() if is_local else clusters.explained(options):
        pipeline = beam.Pipeline(runner=_runner(options), options=options)
        build(pipeline)
        result = pipeline.run()
        if dataflow.is_chosen(options):
            dataflow.log_job(result, options)
        state = result.wait_until_finish()
    if state != beam.runners.runner.PipelineState.DONE:
        raise errors.PhotochromError(
            f"the pipeline ended as {state}, expected {beam.runners.runner.PipelineState.DONE}"
        )
    if output and not (is_local or dataflow.is_template(options)):
        output_lock.sweep(output)
    return result


def _runner(options: pipeline_options.PipelineOptions) -> PipelineRunner | None:
    """Returns the local runner, or None where --runner names another one.

    A DirectRunner of Beam 2.77 first tries to download a Prism binary and hangs behind a silent proxy; its class
    FnApiRunner does not. Worker processes receive the options by the provision info.
    """
    if dataflow.runner(options) not in ("direct", "directrunner", "fnapirunner"):
        return None
    given = portable_runner.JobServiceHandle.encode_pipeline_options(options.get_all_options())
    info = fn_runner.ExtendedProvisionInfo(beam_provision_api_pb2.ProvisionInfo(pipeline_options=given))
    if beam.__version__ not in TESTED:
        _log.warning(
            "Beam %s is not tested, only %s: its own local runner is used, which needs more memory for large archives "
            "and listens on all addresses",
            *(beam.__version__, ", ".join(TESTED)),
        )
        return fn_runner.FnApiRunner(provision_info=info)
    from photochrom.jobs import local_runner  # which imports with the tested versions alone

    return local_runner.LocalRunner(provision_info=info)
