"""Bytes of an image file to a picture: upright sRGB pixels and the metadata beside them.

Here: the formats, depths, profiles and metadata that are read, resizing, contact sheets; `sandbox` runs all decoding in
a process of its own. Not here: colour mathematics (`color`), and what is written into copies (`serving.copies`).
"""
