"""Grayscale archives and a model bundle to coloured copies: the Beam job `photochrom colorize`."""
