"""ICC profiles: stored pixels to sRGB by the file's own profile, the sRGB profile of copies, names of profiles."""

import functools
import io
from typing import Any, cast

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

from photochrom.imaging.stored_pixels import Samples

_SPACES = {"gray": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}
_PERCEPTUAL = 0
# Larger blocks are no profiles: those of presses with many tables have 2 to 4 MB.
MAX_PROFILE_BYTES = 16_000_000
# Pixels that are converted by floats at a time.
_BAND_PIXELS = 2_000_000
# Fields of a profile's header. Source: ICC.1:2022, section 7.2.
_DATE, SPACE = slice(24, 36), slice(16, 20)
_MAX_NAME = 80
# Between white and black in each channel of sRGB, of 255: papers of printers' profiles have 150 and more.
_LEAST_CONTRAST = 64


def to_srgb(samples: Samples, profile: bytes = b"") -> tuple[np.ndarray, tuple[str, ...]]:
    """Converts to sRGB; gray stays gray.

    Args:
        samples: of any space.
        profile: the file's ICC profile, b"" for none.

    Returns:
        [H, W] gray or [H, W, 3] sRGB of `samples.dtype`, and notes.
    """
    if samples.space == "Lab":
        return _transform(samples.values, _lab(), "lab", samples.dtype), ()
    problem = ""
    if profile:
        try:
            return _by_profile(samples, profile), ()
        except Exception as error:  # LittleCMS, by two libraries, on untrusted bytes
            problem = f"unusable ICC profile, {'none' if samples.space == 'CMYK' else 'sRGB'} assumed: {error}"
    notes = (problem,) if problem else ()
    if samples.space != "CMYK":
        return samples.values, notes
    return cmyk_by_formula(samples.values), (*notes, "CMYK without a profile: colours are approximate")


def _by_profile(samples: Samples, profile: bytes) -> np.ndarray:
    space = profile[SPACE]
    if len(profile) > MAX_PROFILE_BYTES:
        raise ValueError(f"{len(profile)} bytes, at most {MAX_PROFILE_BYTES}")
    if space != _SPACES[samples.space] and not (samples.space == "gray" and space == b"RGB "):
        raise ValueError(f"a profile of {space!r} for pixels in {samples.space}")
    if space == b"RGB " and not _is_plausible(profile):
        raise ValueError("its white is not lighter than its black")
    if space == b"RGB " and is_srgb(profile):
        return samples.values
    if samples.space == "gray":
        return _gray_table(profile, samples.dtype.str)[samples.values]
    return _transform(samples.values, profile, samples.space, samples.dtype)


@functools.lru_cache(maxsize=16)
def _gray_table(profile: bytes, dtype: str) -> np.ndarray:
    """Returns the sRGB value of each gray value. In an RGB profile gray has three equal values."""
    ramp = np.arange(np.iinfo(dtype).max + 1).astype(dtype)[:, None]
    if profile[SPACE] == b"RGB ":
        return _transform(np.repeat(ramp[:, :, None], 3, axis=2), profile, "RGB", ramp.dtype)[:, 0, 0]
    return _transform(ramp, profile, "gray", ramp.dtype)[:, 0, 0]


def _transform(values: np.ndarray, profile: bytes, space: str, dtype: np.dtype) -> np.ndarray:
    """Returns [H, W, 3] sRGB of `dtype`."""
    if dtype == np.uint8 and space != "lab":
        mode = {"gray": "L"}.get(space, space)
        image = Image.frombuffer(mode, values.shape[1::-1], np.ascontiguousarray(values), "raw", mode, 0, 1)
        return np.asarray(cast(Image.Image, ImageCms.applyTransform(image, _eight_bit(profile, mode))))
    out = np.empty((*values.shape[:2], 3), dtype)
    rows = max(1, _BAND_PIXELS // values.shape[1])
    for top in range(0, len(values), rows):
        out[top : top + rows] = _deep_band(values[top : top + rows], profile, space, dtype)
    return out


def _deep_band(values: np.ndarray, profile: bytes, space: str, dtype: np.dtype) -> np.ndarray:
    """Converts by floats: LittleCMS's integers are off by up to 600 of 65535 in the shadows of 16-bit RGB."""
    full = np.iinfo(dtype).max
    if space in ("gray", "RGB"):
        values = values / np.float32(full)
    if space == "CMYK":
        values = values * np.float32(100 / full)  # LittleCMS counts ink in percent
    rgb = imagecodecs.cms_transform(
        np.ascontiguousarray(values),
        profile,
        srgb_profile(),
        colorspace=space.lower(),
        outcolorspace="rgb",
        outdtype=np.float32,
        intent=_PERCEPTUAL,
    )
    return np.rint(np.clip(rgb, 0, 1) * full).astype(dtype)


@functools.lru_cache(maxsize=32)
def _eight_bit(profile: bytes, mode: str) -> Any:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


@functools.lru_cache(maxsize=32)
def _is_plausible(profile: bytes) -> bool:
    """Returns whether a profile of RGB makes white light and black dark; with wrong numbers it may do neither."""
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    black, white = _transform(ends, profile, "RGB", ends.dtype)[0].astype(int)
    return bool((white - black).min() >= _LEAST_CONTRAST)


@functools.lru_cache(maxsize=32)
def is_srgb(profile: bytes) -> bool:
    """Returns whether a profile of RGB changes no colour by more than one code of 255, under any name."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    ramp = np.repeat(levels[:, None], 3, axis=1)
    primaries = (np.eye(3, dtype=np.uint8)[:, None] * levels[None, :, None]).reshape(-1, 3)
    colours = np.concatenate([ramp, primaries])[None]
    return bool(np.abs(_transform(colours, profile, "RGB", colours.dtype).astype(int) - colours).max() <= 1)


@functools.lru_cache(maxsize=1)
def _lab() -> bytes:
    return imagecodecs.cms_profile("lab4")


def cmyk_by_formula(cmyk: np.ndarray) -> np.ndarray:
    """Returns [H, W, 3] RGB of [H, W, 4] CMYK, full value full ink: (1 - ink)(1 - black), as Pillow converts it."""
    full = int(np.iinfo(cmyk.dtype).max)
    light = full - cmyk[:, :, 3:].astype(np.uint32)
    out = np.empty((*cmyk.shape[:2], 3), cmyk.dtype)
    for i in range(3):
        ink = cmyk[:, :, i : i + 1]
        out[:, :, i] = (light - (ink * light + full // 2) // full)[:, :, 0]
    return out


@functools.cache
def srgb_profile() -> bytes:
    """Returns a profile of 588 bytes, always the same: zeros replace the date that LittleCMS writes into it."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_DATE] = bytes(12)
    return bytes(profile)


def describe(profile: bytes) -> str:
    """Returns a profile's name and colour space in words, for a note."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return f"unreadable, {len(profile)} bytes"
    space = profile[SPACE].decode("ascii", "replace").strip()
    return f"{''.join(c for c in name if c.isprintable())[:_MAX_NAME]}, {space}"
