"""What the three jobs of Photochrom share, and its command line. Importing it imports nothing."""

__version__ = "0.1.0"
