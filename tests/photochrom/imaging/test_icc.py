import hashlib
import io
import struct

import imagecodecs
import numpy as np
from PIL import ImageCms

from photochrom.imaging import icc
from photochrom.imaging.stored_pixels import Samples


def test_srgb_profile_has_no_date_and_constant_length():
    profile = icc.srgb_profile()
    assert (len(profile), profile[24:36], profile[16:20]) == (588, bytes(12), b"RGB ")
    assert hashlib.sha256(profile).digest() == hashlib.sha256(icc.srgb_profile()).digest()
    assert ImageCms.ImageCmsProfile(io.BytesIO(profile))


def test_to_srgb_leaves_pixels_with_srgb_profile():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    converted, notes = icc.to_srgb(Samples(pixels, "RGB", pixels.dtype), icc.srgb_profile())
    assert converted is pixels and notes == ()


def test_to_srgb_notes_profile_of_other_space():
    pixels = np.zeros((4, 4), np.uint8)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    converted, notes = icc.to_srgb(Samples(pixels, "gray", pixels.dtype), lab)
    assert converted is pixels
    assert notes == ("unusable ICC profile, sRGB assumed: a profile of b'Lab ' for pixels in gray",)


def test_to_srgb_ignores_profile_without_contrast():
    """As in a JP2 of Kakadu: the columns of its matrix are zeros."""
    profile = bytearray(imagecodecs.cms_profile("adobergb"))
    for i in range(int.from_bytes(profile[128:132], "big")):
        name, place, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if name in (b"rXYZ", b"gXYZ", b"bXYZ"):
            profile[place + 8 : place + size] = bytes(size - 8)
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    converted, notes = icc.to_srgb(Samples(pixels, "RGB", pixels.dtype), bytes(profile))
    assert converted is pixels
    assert notes == ("unusable ICC profile, sRGB assumed: its white is not lighter than its black",)


def test_describe_names_profile_and_space():
    assert icc.describe(icc.srgb_profile()) == "sRGB built-in, RGB"
    assert icc.describe(b"profile") == "unreadable, 7 bytes"
