"""Readers of pixels: bytes of one kind of file to `stored_pixels.Samples`, as the file stores them.

Here: one module for each library or format, and the checks before memory is allocated. Not here: the choice of the
reader, orientation (`decoding`), conversion to sRGB (`icc`), metadata (`embedded_metadata`).
"""
