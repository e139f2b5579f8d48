"""Bytes of an image file to a picture: upright sRGB pixels and the metadata of the file.

Here: the formats, depths, profiles and metadata that are read, EXIF, resizing, contact sheets; `sandbox` runs all
decoding in a process of its own. Not here: colour mathematics (`color`), the policy of copies (`serving.copies`).
"""
