"""A worker process of the local runner: Beam's worker program, without the traces that it prints beside its log.

The launcher receives the log by gRPC; a program that fails as a whole still prints its trace.
"""

import contextlib
import os
import sys

from apache_beam.runners.worker import sdk_worker_main


def main() -> None:
    """Runs Beam's worker program to its end."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
