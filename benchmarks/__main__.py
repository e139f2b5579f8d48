"""`python -m benchmarks --photographs FOLDER [--model BUNDLE]`: prints the table of docs/benchmarks.md."""

import argparse
import os
import pathlib
import platform
import tempfile

from benchmarks import buckets, colorize, compose, prepare, upsampling
from photochrom.model import bundle


def main() -> None:
    """Runs all benchmarks and prints a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", required=True, type=pathlib.Path, help="folder of colour photographs, JPEG")
    parser.add_argument("--model", default=bundle.DEFAULT, help="bundle for colorize")
    parser.add_argument("--few", type=int, default=2000, help="photographs of the smaller memory run")
    parser.add_argument("--again", type=int, default=5000, help="scans of the run that is repeated")
    flags = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        for size, count, wanted in (((4000, 3000), 12, 20), ((500, 400), 200, 2.5)):
            found = prepare.speed(flags.photographs, scratch, size, count)
            rows.append(
                (f"prepare, {size[0]}x{size[1]}: speed over the scikit-image baseline, per core", found, f">= {wanted}")
            )
        found = colorize.throughput(flags.photographs, scratch, flags.model, (800, 600), 400)
        rows.append(("colorize, 800x600: throughput over a bare loop", found, ">= 0.7"))
        found = colorize.again(flags.photographs, scratch, flags.model, (500, 400), flags.again)
        rows.append(
            (f"colorize, {flags.again} scans, unchanged: time of a second run over the first's", found, "<= 0.05")
        )
        slow = buckets.throughput_with_latency(flags.photographs, scratch / "buckets", flags.model, 200)
        for job, share in zip(("colorize", "prepare"), slow, strict=True):
            rows.append(
                (f"{job}, 1000x800 in a bucket with 50 ms latency: throughput over a local one", share, ">= 0.8")
            )
        asked = buckets.requests_of_a_zip(flags.photographs, scratch / "zip", flags.model, 180, 20)
        for (job, (requests, read)), wanted in zip(asked.items(), ((0.1, 1.5), (1.2, 2.5)), strict=True):
            case = f"{job.partition('.')[2]}, zip of 200 in a bucket:"
            rows.append((f"{case} requests for each member", requests, f"<= {wanted[0]}"))
            rows.append((f"{case} bytes read for each byte", read, f"<= {wanted[1]}"))
        found = prepare.memory(flags.photographs, scratch, flags.few, 10 * flags.few)
        rows.append((f"prepare, {10 * flags.few} photographs: peak memory over {flags.few}", found, "<= 1.2"))
    found = upsampling.errors(flags.photographs, 48)
    print(f"\n{upsampling.table(found)}")
    for factor, wanted in ((4, 0.88), (12, 0.92)):
        ratio = 1 - upsampling.gains(found, factor)
        rows.append((f"chroma enlarged {factor} times: CIEDE2000 at edges over bilinear's", ratio, f"<= {wanted}"))
    for name, ratio in compose.ratios(flags.photographs).items():
        rows.append((f"composing a copy, 12 MP, {name}: time over OpenCV's", ratio, "<= 1.5"))
    print(f"\n{_machine()}\n\n| measurement | ratio | target |\n|---|---|---|")
    for name, ratio, wanted in rows:
        print(f"| {name} | {ratio:.2f} | {wanted} |")


def _machine() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} cores of {cpu}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
