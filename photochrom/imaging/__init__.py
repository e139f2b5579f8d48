"""Bytes of an image file to a picture: upright sRGB pixels and the metadata of the file.

Here: the formats that are read and refused, profiles and metadata, EXIF, resizing, contact sheets; `readers` has a
module for each kind of file, `sandbox` runs all decoding in a process of its own. Not here: colour mathematics
(`color`), the policy of copies (`serving.copies`).
"""
