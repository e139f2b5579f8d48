"""Colour as numbers: CIE L*a*b*, the sRGB gamut, ab bins, tone, and chroma brought to a picture's full size.

Here: functions from arrays to arrays. Not here: files, models, Beam.
"""
