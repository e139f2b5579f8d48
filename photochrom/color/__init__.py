"""Colour as numbers: CIE L*a*b*, the sRGB gamut, ab bins, tone, upsampling of chroma, composition.

Here: functions from arrays to arrays. Not here: files, models, Beam.
"""
