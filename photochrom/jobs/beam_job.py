"""What both Beam jobs share of Beam: the runner's options and the listing of inputs."""

import contextlib
import dataclasses
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options import pipeline_options
from apache_beam.runners.worker import sdk_worker

from photochrom import errors
from photochrom.jobs import clusters, dataflow, local_runner, output_lock, progress
from photochrom.sources import inputs
from photochrom.sources.source import Source

# The local runner is Beam's in-process FnApiRunner. A bare DirectRunner of Beam 2.77 tries to download a
# Prism binary first, and hangs behind a silent proxy; this option keeps it from that.
_NO_PRISM = "--update_compatibility_version=2.77.0"

# A worker prints the trace of each error that it logs as well. The log is enough: the command line shows a line of it,
# and writes all of it to a file.
sdk_worker.print = lambda *args, **kwargs: None  # type: ignore[attr-defined]


def parse_options(argv: Sequence[str]) -> pipeline_options.PipelineOptions:
    """Makes Beam's options of the flags that a job does not know; locally, all cores are used unless flags say else.

    Raises:
        UsageError: Beam does not know a flag either.
    """
    parser = pipeline_options._BeamArgumentParser(allow_abbrev=False, add_help=False)
    for options in dict.fromkeys(pipeline_options.PipelineOptions.__subclasses__()):
        options._add_argparse_args(parser)
    try:
        flags, unknown = parser.parse_known_args(list(argv))
    except SystemExit as error:
        raise errors.UsageError("a flag of Beam's has a value that it does not take, see above") from error
    if unknown:
        raise errors.UsageError(f"unknown flag {unknown[0]!r}: neither this job nor Beam has it; see --help")
    defaults = []
    if (flags.runner or "direct").lower() in ("direct", "directrunner"):  # Beam takes either case
        given = {arg.split("=")[0] for arg in argv}
        local = {
            "--runner": "--runner=DirectRunner",
            "--update_compatibility_version": _NO_PRISM,
            "--direct_running_mode": "--direct_running_mode=multi_threading",
            "--direct_num_workers": f"--direct_num_workers={multiprocessing.cpu_count()}",
        }
        defaults = [flag for name, flag in local.items() if name not in given]
    return pipeline_options.PipelineOptions([*argv, *defaults])


@dataclasses.dataclass
class ListSources(beam.PTransform):
    """Inputs -> Source: one for each loose file and each member of an archive.

    Attributes:
        spool_folder: where the members of compressed tars are laid.
        progress_folder: where workers leave their counts.
        is_excluded: says by its key what is to be left alone.
    """

    spool_folder: str
    progress_folder: str
    is_excluded: Callable[[str], bool] = lambda key: False

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        return (
            listed_inputs
            | "ListFiles" >> beam.FlatMap(inputs.list_files)
            | "SpreadFiles" >> beam.Reshuffle()
            | "ListMembers" >> beam.FlatMap(self._expand)
        )

    def _expand(self, listed: inputs.Listed) -> Iterator[Source]:
        for source in inputs.expand(listed, self.spool_folder, self.is_excluded):
            progress.Tally.add(self.progress_folder, "listed")
            yield source


def run(build: Callable[[beam.Pipeline], Any], options: pipeline_options.PipelineOptions, output: str = "") -> Any:
    """Builds a pipeline, runs it to its end and returns its result; with --template_location it is only described.

    Args:
        build: adds the steps.
        options: Beam's.
        output: the job's folder. A cluster goes on where a worker dies; what that one had under way is removed there.

    Raises:
        PhotochromError: the pipeline did not end as done, or a cluster does not answer or fit.
    """
    is_local = clusters.is_local(options)
    if is_local:
        local_runner.adapt()
    else:
        clusters.check(options)
    if dataflow.is_chosen(options):
        options = dataflow.named(options, output)
    with contextlib.nullcontext() if is_local else clusters.explained(options):
        pipeline = beam.Pipeline(options=options)
        build(pipeline)
        result = pipeline.run()
        if dataflow.is_chosen(options):
            dataflow.tell(result, options)
        state = result.wait_until_finish()
    if state != beam.runners.runner.PipelineState.DONE:
        raise errors.PhotochromError(
            f"the pipeline ended as {state}, expected {beam.runners.runner.PipelineState.DONE}"
        )
    if output and not (is_local or dataflow.is_template(options)):
        output_lock.sweep(output)
    return result
