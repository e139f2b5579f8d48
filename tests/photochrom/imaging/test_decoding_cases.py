"""Table of the files in archives: each row a file made of a photograph, and the expected pixels."""

import dataclasses
import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageCms

from photochrom.imaging import decoding

# 48 x 64 px of a photograph, 8 bit, and the same with a low byte of its own in 16 bit.
RGB = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:420:5])
RGB16 = (RGB.astype(np.uint16) << 8) + RGB[::-1, ::-1]
GRAY, GRAY16 = np.ascontiguousarray(RGB[:, :, 1]), np.ascontiguousarray(RGB16[:, :, 1])
BILEVEL = np.where(GRAY > 100, 255, 0).astype(np.uint8)
OPACITY = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(48, axis=0)
OPACITY16 = (OPACITY.astype(np.uint16) << 8) + OPACITY // 2
FLOAT = GRAY16.astype(np.float64) / 65535
SRGB, ADOBE = imagecodecs.cms_profile("srgb"), imagecodecs.cms_profile("adobergb")


def tiff(values: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    big, order = options.pop("bigtiff", False), options.pop("byteorder", "<")
    with tifffile.TiffWriter(buffer, bigtiff=big, byteorder=order) as file:
        file.write(values, metadata=None, **{"photometric": "minisblack" if values.ndim == 2 else "rgb", **options})
    return buffer.getvalue()


def saved(values: np.ndarray, format: str, mode: str = "", **options) -> bytes:
    image = Image.fromarray(values)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, format, **options)
    return buffer.getvalue()


def png(values: np.ndarray) -> bytes:
    return imagecodecs.png_encode(values)


def jpeg2000(values: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(values, level=0, reversible=True, bitspersample=bits, codecformat="jp2")


def pnm(values: np.ndarray, full: int = 65535) -> bytes:
    magic = "P5" if values.ndim == 2 else "P6"
    return f"{magic}\n{values.shape[1]} {values.shape[0]}\n{full}\n".encode() + values.astype(">u2").tobytes()


def plus(*channels: np.ndarray) -> np.ndarray:
    return np.dstack(channels)


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB as float L*a*b* of D50, by LittleCMS."""
    lab = imagecodecs.cms_profile("lab4")
    return imagecodecs.cms_transform(rgb, SRGB, lab, colorspace="rgb", outcolorspace="lab", outdtype=np.float32)


def lab_tiff(bits: int, icc: bool) -> bytes:
    """CIELAB (a*, b* in two's complement) or ICCLAB (with an offset) of TIFF."""
    lab = to_lab(RGB16)
    white = 65280 if icc and bits == 16 else 2**bits - 1
    signed = np.rint(lab[:, :, 1:] * (1 if bits == 8 else 256)).astype(np.int32)
    values = plus(np.rint(lab[:, :, 0] * white / 100), (signed + (1 << (bits - 1)) if icc else signed) % 2**bits)
    return tiff(values.astype(np.uint8 if bits == 8 else np.uint16), photometric="icclab" if icc else "cielab")


def cmyk(full: int, dtype) -> np.ndarray:
    """No black; inks are the complement."""
    rgb = RGB if full == 255 else RGB16
    return plus(full - rgb, np.zeros(GRAY.shape)).astype(dtype)


def adobe_to_srgb(rgb: np.ndarray) -> np.ndarray:
    """Adobe RGB (1998), 4.3: gamma 563/256, the primaries' matrix to XYZ of D65; from there IEC 61966-2-1."""
    full = np.iinfo(rgb.dtype).max
    to_xyz = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    from_xyz = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    return encode((rgb / full) ** (563 / 256) @ np.array(to_xyz).T @ np.array(from_xyz).T, full)


def encode(light: np.ndarray, full: int) -> np.ndarray:
    """Light of 0..1 on sRGB's curve (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    return np.rint(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * full)


def gamma_22(values: np.ndarray) -> np.ndarray:
    full = np.iinfo(values.dtype).max
    return encode((values / full) ** 2.2, full)


def palette_jpeg2000() -> bytes:
    """Gray indices into a palette in which colours come twice; boxes by hand (ISO 15444-1, I.5.3.4 and I.5.3.5)."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", 8 + len(body)) + kind + body

    indices = imagecodecs.jpeg2k_encode(GRAY // 2, level=0, reversible=True, codecformat="j2k")
    header = box(b"ihdr", struct.pack(">IIHBBBB", 48, 64, 1, 7, 7, 0, 0)) + box(
        b"colr", b"\1\0\0" + struct.pack(">I", 16)
    )
    colours = bytes(channel for i in range(128) for channel in (i // 4 * 8, 248 - i // 4 * 8, 0))
    header += box(b"pclr", struct.pack(">HB3B", 128, 3, 7, 7, 7) + colours)
    header += box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, i) for i in range(3)))
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", header) + box(b"jp2c", indices)


def profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile by hand (ICC.1:2001, 6): header, table of tags, tags."""
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + d50, b"desc": b"desc\0\0\0\0\0\0\0\x05hand\0" + bytes(79), **tags}
    start, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, kind, space, pcs)
    header += bytes(12) + b"acsp" + bytes(28) + d50
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def gray_profile(curve: bytes) -> bytes:
    return profile(b"prtr", b"GRAY", b"XYZ ", {b"kTRC": curve})


def press_profile() -> bytes:
    """A CMYK profile whose L* falls in a straight line with black ink; the other inks do nothing (lut16Type)."""
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft2\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + struct.pack(">HH", 2, 2)
    lut += struct.pack(">8H", *(0, 65535) * 4)
    lut += b"".join(struct.pack(">3H", 0 if corner % 2 else 65280, 32768, 32768) for corner in range(16))
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut + struct.pack(">6H", *(0, 65535) * 3)})


def black_ink(gray: np.ndarray) -> np.ndarray:
    return np.dstack([np.zeros((*gray.shape, 3), gray.dtype), np.iinfo(gray.dtype).max - gray])


def from_lightness(gray: np.ndarray) -> np.ndarray:
    """Gray as L*, so that the full value is 100, in sRGB (CIE 15: Y of L*)."""
    full = np.iinfo(gray.dtype).max
    lightness = gray / full * 100
    light = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    return np.repeat(encode(light, full)[:, :, None], 3, axis=2)


GAMMA_22 = gray_profile(b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0")
# Dot gain of 20%: a tint of t prints as t + 0.8 t (1 - t), so that at one half it is 0.7.
TINT = 1 - np.linspace(0, 1, 256)
DOT_GAIN_LIGHT = 1 - (TINT + 0.8 * TINT * (1 - TINT))
DOT_GAIN = gray_profile(
    b"curv\0\0\0\0" + struct.pack(">I256H", 256, *np.rint(DOT_GAIN_LIGHT * 65535).astype(int).tolist())
)


def dot_gain(values: np.ndarray) -> np.ndarray:
    full = np.iinfo(values.dtype).max
    return encode(np.interp(values / full, np.linspace(0, 1, 256), DOT_GAIN_LIGHT), full)


@dataclasses.dataclass(frozen=True)
class Case:
    """A file and its expected pixels: `tolerance` is the mean absolute difference allowed, in units of 8 bit."""

    name: str
    make: Callable[[], bytes]
    pixels: np.ndarray
    format: str = "TIFF"
    tolerance: float = 0
    alpha: np.ndarray | None = None
    dtype: type = np.uint8


def deep(name: str, make, pixels=GRAY16, format="TIFF", tolerance=0.0, alpha=None) -> Case:
    return Case(name, make, pixels, format, tolerance, alpha, np.uint16)


CASES = [
    # Depths and polarities of TIFF
    Case("TIFF gray 8 bit", lambda: tiff(GRAY), GRAY),
    Case("TIFF gray 8 bit MinIsWhite", lambda: tiff(255 - GRAY, photometric="miniswhite"), GRAY),
    Case("TIFF gray 1 bit", lambda: tiff(BILEVEL > 0), BILEVEL),
    Case("TIFF gray 1 bit MinIsWhite", lambda: tiff(BILEVEL == 0, photometric="miniswhite"), BILEVEL),
    Case("TIFF gray 4 bit", lambda: tiff(GRAY >> 4, bitspersample=4), (GRAY >> 4) * 17),
    Case("TIFF gray 2 bit MinIsWhite", lambda: tiff(3 - (GRAY >> 6), bitspersample=2, photometric=0), (GRAY >> 6) * 85),
    deep("TIFF gray 16 bit", lambda: tiff(GRAY16)),
    deep("TIFF gray 16 bit big-endian", lambda: tiff(GRAY16, byteorder=">")),
    deep("TIFF gray 16 bit MinIsWhite", lambda: tiff(65535 - GRAY16, photometric="miniswhite")),
    deep("TIFF gray 16 bit MinIsWhite BE", lambda: tiff(65535 - GRAY16, photometric="miniswhite", byteorder=">")),
    deep(
        "TIFF gray 12 bit",
        lambda: tiff(GRAY16 >> 4, bitspersample=12),
        np.rint((GRAY16 >> 4) * (65535 / 4095)).astype(np.uint16),
    ),
    deep("TIFF gray float32 0..1", lambda: tiff(FLOAT.astype("f4"))),
    deep("TIFF gray float64 0..1", lambda: tiff(FLOAT)),
    deep("TIFF gray float16 0..1", lambda: tiff(FLOAT.astype("f2")), tolerance=0.1),
    deep("TIFF gray float32 0..255", lambda: tiff((FLOAT * 255).astype("f4"))),
    deep("TIFF gray float32 0..65535", lambda: tiff(GRAY16.astype("f4"))),
    deep("TIFF gray float32 predictor", lambda: tiff(FLOAT.astype("f4"), compression="zlib", predictor=3)),
    deep("TIFF gray uint32 whole range", lambda: tiff(GRAY16.astype("u4") * 65537)),
    deep("TIFF gray uint32 holding 16 bit", lambda: tiff(GRAY16.astype("u4"))),
    deep("TIFF gray int32 holding 16 bit", lambda: tiff(GRAY16.astype("i4"))),
    # Colours and opacity of TIFF
    Case("TIFF RGB 8 bit", lambda: tiff(RGB), RGB),
    deep("TIFF RGB 16 bit", lambda: tiff(RGB16), RGB16),
    deep("TIFF RGB float32", lambda: tiff((RGB16 / 65535).astype("f4")), RGB16),
    Case("TIFF gray+alpha 8 bit", lambda: tiff(plus(GRAY, OPACITY), photometric=1, extrasamples=[2]), GRAY,
         alpha=OPACITY),
    deep("TIFF gray+alpha 16 bit", lambda: tiff(plus(GRAY16, OPACITY16), photometric=1, extrasamples=[2]),
         alpha=OPACITY16),
    Case("TIFF RGBA 8 bit", lambda: tiff(plus(RGB, OPACITY), extrasamples=[2]), RGB, alpha=OPACITY),
    deep("TIFF RGBA 16 bit", lambda: tiff(plus(RGB16, OPACITY16), extrasamples=[2]), RGB16, alpha=OPACITY16),
    Case("TIFF RGBA premultiplied", lambda: tiff(plus(np.rint(RGB * (200 / 255)), GRAY * 0 + 200).astype("u1"),
         extrasamples=[1]), RGB, alpha=GRAY * 0 + 200, tolerance=0.5),
    Case("TIFF RGB with a mask of no stated use", lambda: tiff(plus(RGB, OPACITY), extrasamples=[0]), RGB),
    Case("TIFF palette", lambda: tiff(GRAY, photometric="palette", colormap=np.arange(768).reshape(3, 256) % 256 * 257),
         plus(GRAY, GRAY, GRAY)),
    Case("TIFF palette of 8 bit values", lambda: tiff(GRAY, photometric="palette",
         colormap=(np.arange(768).reshape(3, 256) % 256).astype(np.uint16)), plus(GRAY, GRAY, GRAY)),
    Case("TIFF CMYK 8 bit", lambda: tiff(cmyk(255, "u1"), photometric="separated"), RGB),
    deep("TIFF CMYK 16 bit", lambda: tiff(cmyk(65535, "u2"), photometric="separated"), RGB16),
    Case("TIFF CIELAB 8 bit", lambda: lab_tiff(8, icc=False), RGB, tolerance=2),
    deep("TIFF CIELAB 16 bit", lambda: lab_tiff(16, icc=False), RGB16, tolerance=0.05),
    Case("TIFF ICCLAB 8 bit", lambda: lab_tiff(8, icc=True), RGB, tolerance=2),
    deep("TIFF ICCLAB 16 bit", lambda: lab_tiff(16, icc=True), RGB16, tolerance=0.05),
    # Layouts and compressions of TIFF
    deep("TIFF planar", lambda: tiff(np.moveaxis(RGB16, 2, 0), planarconfig="separate"), RGB16),
    Case("TIFF tiled", lambda: tiff(RGB, tile=(32, 32)), RGB),
    Case("TIFF in strips", lambda: tiff(GRAY, rowsperstrip=7), GRAY),
    deep("BigTIFF", lambda: tiff(GRAY16, bigtiff=True)),
    deep("BigTIFF big-endian tiled", lambda: tiff(RGB16, bigtiff=True, byteorder=">", tile=(16, 16)), RGB16),
    *(deep(f"TIFF {name}", lambda name=name: tiff(RGB16, compression=name, predictor=name != "packbits"), RGB16)
      for name in ("lzw", "deflate", "zstd", "lzma", "packbits")),
    Case("TIFF JPEG", lambda: tiff(RGB, compression="jpeg", compressionargs={"level": 95}), RGB, tolerance=5),
    Case("TIFF JPEG tiled gray", lambda: tiff(GRAY, compression="jpeg", tile=(16, 16)), GRAY, tolerance=3),
    *(Case(f"TIFF CCITT {name}", lambda name=name: saved(BILEVEL, "TIFF", "1", compression=name), BILEVEL)
      for name in ("tiff_ccitt", "group3", "group4")),
    # Other formats
    Case("PNG 1 bit", lambda: saved(BILEVEL, "PNG", "1"), BILEVEL, "PNG"),
    Case("PNG gray 8 bit", lambda: saved(GRAY, "PNG"), GRAY, "PNG"),
    deep("PNG gray 16 bit", lambda: png(GRAY16), format="PNG"),
    deep("PNG gray+alpha 16 bit", lambda: png(plus(GRAY16, OPACITY16)), format="PNG", alpha=OPACITY16),
    deep("PNG RGB 16 bit", lambda: png(RGB16), RGB16, "PNG"),
    deep("PNG RGBA 16 bit", lambda: png(plus(RGB16, OPACITY16)), RGB16, "PNG", alpha=OPACITY16),
    Case("GIF", lambda: saved(GRAY, "GIF"), plus(GRAY, GRAY, GRAY), "GIF"),
    Case("BMP", lambda: saved(RGB, "BMP"), RGB, "BMP"),
    Case("PBM", lambda: saved(BILEVEL, "PPM", "1"), BILEVEL, "PPM"),
    Case("PGM 8 bit", lambda: saved(GRAY, "PPM"), GRAY, "PPM"),
    deep("PGM 16 bit", lambda: pnm(GRAY16), format="PPM"),
    deep("PPM 16 bit", lambda: pnm(RGB16), RGB16, "PPM"),
    deep("PPM 12 bit", lambda: pnm(RGB16 >> 4, 4095), np.rint((RGB16 >> 4) * (65535 / 4095)), "PPM"),
    Case("JPEG 2000 8 bit", lambda: jpeg2000(RGB, 8), RGB, "JPEG2000"),
    deep("JPEG 2000 gray 16 bit", lambda: jpeg2000(GRAY16, 16), format="JPEG2000"),
    deep("JPEG 2000 RGB 16 bit", lambda: jpeg2000(RGB16, 16), RGB16, "JPEG2000"),
    deep("JPEG 2000 gray 12 bit", lambda: jpeg2000(GRAY16 >> 4, 12), np.rint((GRAY16 >> 4) * (65535 / 4095)),
         "JPEG2000"),
    Case("WebP", lambda: saved(RGB, "WEBP", lossless=True), RGB, "WEBP"),
    Case("AVIF", lambda: saved(RGB, "AVIF", quality=95), RGB, "AVIF", 5),
    deep("AVIF 10 bit", lambda: imagecodecs.avif_encode(RGB16 >> 6, bitspersample=10, level=98), RGB16, "AVIF", 5),
    Case("JPEG 2000 palette", palette_jpeg2000, plus(GRAY // 8 * 8, 248 - GRAY // 8 * 8, GRAY * 0), "JPEG2000"),
    Case("JPEG", lambda: saved(RGB, "JPEG", quality=95, subsampling=0), RGB, "JPEG", 3),
    Case("JPEG CMYK of Adobe, inverted", lambda: saved(RGB, "JPEG", "CMYK", quality=95), RGB, "JPEG", 4),
    Case("JPEG YCCK of Adobe, inverted", lambda: imagecodecs.jpeg8_encode(255 - cmyk(255, "u1"), level=95,
         colorspace="cmyk", outcolorspace="ycck", subsampling="444"), RGB, "JPEG", 5),
    deep("PFM 0..1", lambda: b"Pf\n64 48\n-1\n" + FLOAT.astype("<f4")[::-1].tobytes(), format="PPM"),
    deep("JPEG 12 bit", lambda: imagecodecs.jpeg8_encode(GRAY16 >> 4, level=98, bitspersample=12),
         np.rint((GRAY16 >> 4) * (65535 / 4095)), "JPEG", 1),
    deep("JPEG lossless 16 bit", lambda: imagecodecs.jpeg8_encode(RGB16, lossless=True, bitspersample=16), RGB16,
         "JPEG"),
    # Profiles
    Case("PNG Adobe RGB", lambda: saved(RGB, "PNG", icc_profile=ADOBE), adobe_to_srgb(RGB), "PNG", 0.5),
    deep("TIFF Adobe RGB 16 bit", lambda: tiff(RGB16, iccprofile=ADOBE), adobe_to_srgb(RGB16), tolerance=0.1),
    Case("TIFF gray gamma 2.2", lambda: tiff(GRAY, iccprofile=GAMMA_22), gamma_22(GRAY), tolerance=0.3),
    deep("TIFF gray gamma 2.2 16 bit", lambda: tiff(GRAY16, iccprofile=GAMMA_22), gamma_22(GRAY16), tolerance=0.05),
    Case("TIFF gray dot gain", lambda: tiff(GRAY, iccprofile=DOT_GAIN), dot_gain(GRAY), tolerance=0.3),
    deep("TIFF gray dot gain 16 bit", lambda: tiff(GRAY16, iccprofile=DOT_GAIN), dot_gain(GRAY16), tolerance=0.05),
    Case("TIFF CMYK with a profile", lambda: tiff(black_ink(GRAY), photometric="separated", iccprofile=press_profile()),
         from_lightness(GRAY), tolerance=0.5),
    deep("TIFF CMYK with a profile 16 bit", lambda: tiff(black_ink(GRAY16), photometric="separated",
         iccprofile=press_profile()), from_lightness(GRAY16), tolerance=0.05),
    Case("TIFF gray with a profile of RGB", lambda: tiff(GRAY, iccprofile=ADOBE), gamma_22(GRAY), tolerance=0.5),
    Case("TIFF gray with sRGB's profile", lambda: tiff(GRAY, iccprofile=SRGB), GRAY),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_decode_matches_the_case(case):
    picture = decoding.decode(case.make(), max_pixels=10**6)
    assert (picture.format, picture.pixels.dtype) == (case.format, case.dtype)
    assert picture.pixels.shape == case.pixels.shape
    unit = 1 if case.dtype == np.uint8 else 257
    difference = np.abs(picture.pixels.astype(float) - case.pixels).mean() / unit
    assert difference <= case.tolerance
    if case.alpha is None:
        assert picture.alpha is None
    else:
        assert picture.alpha.dtype == case.dtype
        np.testing.assert_array_equal(picture.alpha, case.alpha)


@pytest.mark.parametrize("kind", ["gray", "RGB"])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_opaque_rgb_reduces_16_bit_to_8(kind, format):
    values = GRAY16 if kind == "gray" else RGB16
    picture = decoding.decode(png(values) if format == "PNG" else tiff(values), max_pixels=10**6)
    shown = picture.opaque_rgb()
    assert shown.dtype == np.uint8 and shown.shape == RGB.shape
    assert np.abs(shown.astype(float) - (values / 257).reshape(48, 64, -1)).max() <= 0.5


def test_opaque_rgb_composes_16_bit_alpha_over_white():
    picture = decoding.decode(png(plus(RGB16, OPACITY16)), max_pixels=10**6)
    expected = RGB16 / 257 * (OPACITY16 / 65535)[:, :, None] + 255 * (1 - OPACITY16 / 65535)[:, :, None]
    assert np.abs(picture.opaque_rgb() - expected).max() < 2


def test_decode_reads_16_bit_transparent_colour():
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in RGB16)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0))
    data += chunk(b"tRNS", RGB16[5, 7].astype(">u2").tobytes()) + chunk(b"IDAT", zlib.compress(rows))
    picture = decoding.decode(data + chunk(b"IEND", b""), max_pixels=10**6)
    np.testing.assert_array_equal(picture.pixels, RGB16)
    np.testing.assert_array_equal(picture.alpha == 0, (RGB16[5, 7] == RGB16).all(axis=2))


def test_to_srgb_recognizes_srgb_by_effect():
    own = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(ADOBE))).strip()
    named = ADOBE.replace(own.encode(), "sRGB, by name".ljust(len(own)).encode())
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(named)))
    for one, expected in ((named, adobe_to_srgb(RGB)), (SRGB, RGB)):
        found = decoding.decode(saved(RGB, "PNG", icc_profile=one), max_pixels=10**7).pixels
        assert np.abs(found.astype(int) - expected).mean() < 0.5
    assert np.abs(adobe_to_srgb(RGB).astype(int) - RGB).mean() > 2
