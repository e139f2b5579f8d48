"""The parts that the three jobs of Photochrom share, and its command line. Importing it imports nothing else."""

__version__ = "0.1.0"
