"""Prism, Beam's own portable runner, built once by the Go toolchain in the version of the installed Beam.

`python tests/clusters/prism.py` builds it and prints its path, the value of --prism_location.
"""

import os
import pathlib
import shutil
import subprocess

import apache_beam

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
# Kept between runs, one for each version of Beam; `make clean` removes it.
FOLDER = PROJECT / "build" / "clusters" / f"prism-{apache_beam.__version__}"
MODULE = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{apache_beam.__version__}"
BUILD_SECONDS = 600


class Unavailable(Exception):
    """Go or the module is not available: the message names which."""


def build() -> pathlib.Path:
    """Returns the path of Prism's binary; if it is missing, Go fetches its modules, checks their sums and builds it.

    Raises:
        Unavailable: Go or the module is not available.
    """
    binary = FOLDER / "prism"
    if binary.exists():
        return binary
    if not shutil.which("go"):
        raise Unavailable("`go` is not installed")
    # It runs for a minute: without the optimizer, building takes a quarter less processor time.
    command = ["go", "install", "-gcflags=all=-N -l", "-ldflags=-s -w", MODULE]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(FOLDER / "new")}
    try:
        subprocess.run(command, env=environment, timeout=BUILD_SECONDS, check=True, stderr=subprocess.PIPE, text=True)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"Go does not build {MODULE} within {BUILD_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if not line.startswith("go: downloading")]
        raise Unavailable(f"Go does not build {MODULE}: {' '.join(lines[:3])}") from error
    (FOLDER / "new" / "prism").rename(binary)
    return binary


def main() -> None:
    print(build())


if __name__ == "__main__":
    main()
