"""`python -m benchmarks.fuzz --minutes 30`: mutated pictures against the decoder; each ends as a picture or a reason.

Prints the number of inputs, their results, the slowest, and the peak memory of the helper and of this process. Inputs
that crashed the helper or timed out are kept in --keep, to reproduce them.
"""

import argparse
import collections
import hashlib
import pathlib
import random
import resource
import time

from photochrom import errors
from photochrom.imaging.sandbox import decoder, pool
from tests.support import mutations

_FAULTS = ("decoder_crashed", "decode_timeout", "out_of_memory")


def main() -> None:
    """Mutates and decodes until the time limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="duration")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--timeout", type=float, default=20.0, help="for one input, seconds")
    parser.add_argument("--max_pixels", type=int, default=10_000_000, help="limit of the decoder")
    parser.add_argument("--input", type=pathlib.Path, help="folder of files to mutate beside the built-in pictures")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for inputs that crash, stall or bloat the helper")
    flags = parser.parse_args()
    seeds = list(mutations.seeds().values())
    if flags.input:
        seeds += [path.read_bytes() for path in sorted(flags.input.rglob("*")) if path.is_file()]
    seeds = [seed for seed in seeds if 0 < len(seed) <= 1 << 20]
    guarded = decoder.Decoder(flags.max_pixels, flags.timeout)
    rng = random.Random(flags.seed)
    counts: collections.Counter[str] = collections.Counter()
    peak, slowest = 0, (0.0, "")
    until = time.monotonic() + 60 * flags.minutes
    while time.monotonic() < until:
        data = mutations.mutate(rng, seeds)
        started = time.monotonic()
        end = _decode(guarded, data)
        slowest = max(slowest, (time.monotonic() - started, f"{end}, {len(data)} bytes"))
        counts[end] += 1
        peak = max(peak, *map(_peak_bytes, pool.helper_pids()), 0)
        if end in _FAULTS and flags.keep:
            flags.keep.mkdir(parents=True, exist_ok=True)
            (flags.keep / f"{end}-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{counts.total()} inputs of {len(seeds)} seeds in {flags.minutes:g} minutes")
    for end, count in counts.most_common():
        print(f"  {count:>9}  {end}")
    print(f"slowest {slowest[0]:.2f} s ({slowest[1]}); peak memory: helper {peak >> 20} MB, this process {own:.0f} MB")


def _decode(guarded: decoder.Decoder, data: bytes) -> str:
    """Returns the result for an input: "picture", or the reason of its refusal."""
    try:
        guarded.count_pages(data)
    except errors.DecodeError as error:
        if error.reason in _FAULTS:
            return error.reason
    try:
        guarded.decode(data)
    except errors.DataError as error:
        return error.reason
    return "picture"


def _peak_bytes(pid: int) -> int:
    """Returns the peak resident memory of a process; 0 if it has just ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    main()
