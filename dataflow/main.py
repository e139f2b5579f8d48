"""Entry point of the Flex Template, which builds the graph of its job: `photochrom colorize`."""

import sys

from photochrom import cli
from serving import colorize

if __name__ == "__main__":
    sys.exit(cli.call(colorize.run))
