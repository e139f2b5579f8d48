"""`python -m benchmarks.scale --scratch FOLDER [Beam's flags]`: prepare and colorize on increasing numbers of images.

The images are generated, half of them in one zip, and the model is tiny, so everything except the network is measured.
For a cluster, give Beam's flags, Flink's REST server and the processes to watch:

    python tests/clusters/flink_cluster.py &
    python -m benchmarks.scale --scratch FOLDER --flink 127.0.0.1:8081 --watch PID --runner=PortableRunner ...
"""

import argparse
import dataclasses
import pathlib
import shutil
import sys
import time

from benchmarks import flink_figures, usage
from tests.support import generated, tint

# Module and mode of the images.
_JOBS = {"prepare": ("pipelines.prepare", "RGB"), "colorize": ("serving.colorize", "L")}
_MB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Run:
    """Resources that one job used: the launcher (the whole job, if local), and the processes of a cluster."""

    job: str
    count: int
    seconds: float
    own: usage.Usage
    others: usage.Usage
    figures: flink_figures.Figures | None

    def line(self) -> str:
        """Returns the row of the table."""
        cells = [self.job, f"{self.count:,}", f"{self.seconds:,.0f}"]
        milliseconds = (self.own.processor_seconds + self.others.processor_seconds) / self.count * 1000
        cells += [f"{milliseconds:.1f}", f"{self.own.peak / _MB:,.0f}"]
        if self.figures:
            each = f"{self.figures.bytes / self.count:,.0f}"
            cells += [f"{self.others.peak / _MB:,.0f}", each, f"{self.figures.busiest:.2f}"]
        return f"| {' | '.join(cells)} |"


def main() -> None:
    """Runs both jobs at each count and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--scratch", required=True, type=pathlib.Path, help="folder for images and outputs")
    parser.add_argument("--counts", default="10000,30000,100000", help="images, ascending")
    parser.add_argument("--jobs", default="prepare,colorize")
    parser.add_argument("--model", help="bundle for colorize; default a tiny one that tints")
    parser.add_argument("--flink", help="HOST:PORT of Flink's REST server, for bytes and skew")
    parser.add_argument(
        "--watch", default="", help="numbers of further processes of the cluster to include, separated by commas"
    )
    flags, beam_flags = parser.parse_known_args()
    flags.model = flags.model or _tint(flags.scratch)
    columns = ["job", "images", "s", "processor ms an image", "peak, MB"]
    columns += ["cluster's peak, MB", "bytes an image", "busiest"] if flags.flink else []
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for job in flags.jobs.split(","):
        for count in map(int, flags.counts.split(",")):
            print(_run(job, count, flags, beam_flags).line(), flush=True)


def _run(job: str, count: int, flags: argparse.Namespace, beam_flags: list[str]) -> Run:
    module, mode = _JOBS[job]
    images = generated.archive(flags.scratch / f"{mode}-{count}", count, mode)
    output = flags.scratch / f"{job}-{count}-out"
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", module, f"--input={images}", f"--output={output}"]
    command += [f"--model={flags.model}"] if job == "colorize" else []
    started = time.monotonic()
    others = [int(pid) for pid in flags.watch.split(",") if pid]
    used = usage.run([*command, *beam_flags], output.with_suffix(".log"), others)
    seconds = time.monotonic() - started
    figures = flink_figures.of_last_job(flags.flink) if flags.flink else None
    shutil.rmtree(output)
    return Run(job, count, seconds, *used, figures)


def _tint(scratch: pathlib.Path) -> str:
    folder = scratch / "tint"
    return str(folder) if folder.exists() else tint.make_bundle(folder)


if __name__ == "__main__":
    main()
