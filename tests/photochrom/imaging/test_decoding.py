"""Every case is a real file, written by Pillow or by hand, and comes out right or is refused with its reason."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from photochrom import errors
from photochrom.imaging import decoding
from photochrom.imaging.picture import Picture, to_uint8

LIMIT = 10**8


def encode(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def decode(image: Image.Image, format: str = "PNG", **options) -> Picture:
    return decoding.decode(encode(image, format, **options), max_pixels=LIMIT)


@pytest.fixture(scope="module")
def rgb(photographs):
    return Image.fromarray(photographs["coffee"]).resize((90, 60))


@pytest.fixture(scope="module")
def gray(rgb):
    return rgb.convert("L")


@pytest.mark.parametrize(("format", "name"), [("PNG", "PNG"), ("TIFF", "TIFF"), ("BMP", "BMP"), ("PPM", "PPM")])
def test_decode_of_lossless_formats_is_exact(rgb, gray, format, name):
    for image in (rgb, gray):
        picture = decode(image, format)
        np.testing.assert_array_equal(picture.pixels, np.asarray(image))
        assert (picture.format, picture.alpha, picture.notes) == (name, None, ())
        assert (picture.source_height, picture.source_width) == (60, 90)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "JPEG2000"])
def test_decode_of_lossy_formats_is_near(rgb, format):
    picture = decode(rgb, format, **({} if format == "JPEG2000" else {"quality": 95}))
    assert picture.format == format
    assert np.abs(picture.pixels.astype(int) - np.asarray(rgb)).mean() < 4


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "jpeg"])
def test_decode_reads_compressed_tiff(gray, compression):
    picture = decode(gray, "TIFF", compression=compression)
    assert np.abs(picture.pixels.astype(int) - np.asarray(gray)).mean() < 5


def test_decode_expands_bilevel(gray):
    picture = decode(gray.convert("1"), "TIFF", compression="group4")
    assert set(np.unique(picture.pixels)) == {0, 255} and picture.pixels.ndim == 2


def test_decode_expands_palettes(rgb):
    palette = rgb.convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
    np.testing.assert_array_equal(decode(palette).pixels, np.asarray(palette.convert("RGB")))
    assert decode(palette, "GIF").format == "GIF"


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_decode_separates_alpha(rgb, mode):
    image = rgb.convert("L" if mode == "LA" else "RGB").convert(mode)
    opacity = Image.fromarray(np.linspace(0, 255, 60).astype(np.uint8)[:, None].repeat(90, axis=1))
    image.putalpha(opacity)
    picture = decode(image)
    np.testing.assert_array_equal(picture.alpha, np.asarray(opacity))
    over = picture.opaque_rgb()
    assert (over[0] == 255).all()
    np.testing.assert_array_equal(over[-1], np.asarray(image.convert("RGB"))[-1])


def test_decode_drops_opaque_alpha(rgb):
    assert decode(rgb.convert("RGBA")).alpha is None


def test_decode_reads_transparent_palette_colour():
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 0, 200, 10, 20])
    image.putpixel((0, 0), 0)
    picture = decode(image, transparency=0)
    assert picture.alpha[0, 0] == 0 and picture.alpha[1, 1] == 255
    assert tuple(picture.opaque_rgb()[0, 0]) == (255, 255, 255)


def test_decode_converts_cmyk_without_profile(rgb):
    picture = decode(rgb.convert("CMYK"), "JPEG", quality=95)
    assert np.abs(picture.pixels.astype(int) - np.asarray(rgb)).mean() < 6


def test_decode_leaves_unmarked_cmyk_jpeg_uninverted(rgb):
    data = encode(rgb.convert("CMYK"), "JPEG", quality=95)
    mark = data.index(b"\xff\xee")
    length = int.from_bytes(data[mark + 2 : mark + 4], "big")
    picture = decoding.decode(data[:mark] + data[mark + 2 + length :], max_pixels=LIMIT)
    inverted = Image.fromarray(255 - np.asarray(rgb.convert("CMYK")), "CMYK").convert("RGB")
    assert np.abs(picture.pixels.astype(int) - np.asarray(inverted)).mean() < 6
    assert "CMYK JPEG without Adobe's mark, taken as not inverted" in picture.notes


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_decode_takes_first_frame_of_animation(gray, format):
    options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format == "AVIF" else {}
    second = gray.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = decode(gray, format, save_all=True, append_images=[second], **options)
    first = picture.opaque_rgb()[:, :, 1].astype(int)
    assert np.abs(first - np.asarray(gray)).mean() < 4
    assert decoding.count_pages(encode(gray, format, save_all=True, append_images=[second])) == 1


@pytest.mark.parametrize(("gamma", "values"), [(1.0, [0, 64, 188, 255]), (0.45455, [0, 13, 128, 255])])
def test_decode_applies_png_gamma_unless_srgb(gamma, values):
    """Linear light on sRGB's curve; 1/2.2 is as good as sRGB's own."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    picture = decode(Image.fromarray(np.array([[0, 13, 128, 255]], np.uint8)), pnginfo=chunks)
    np.testing.assert_allclose(picture.pixels[0], values, atol=1)
    assert picture.notes == (("PNG gamma 1 converted",) if gamma == 1 else ())


def test_decode_converts_lab_tiff(rgb):
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    picture = decode(ImageCms.applyTransform(rgb, to_lab), "TIFF")
    assert np.abs(picture.pixels.astype(int) - np.asarray(rgb)).mean() < 3


def gamma_profile() -> bytes:
    """A linear gray profile by hand (ICC.1:2010, 8.3.2): header, white point, a curve of one entry (gamma 1.0)."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 256) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 7) + b"linear\0" + bytes(79)
    start = 128 + 4 + 3 * 12
    tags, body = b"", b""
    for name, data in ((b"wtpt", white), (b"kTRC", curve), (b"desc", text)):
        tags += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", 3) + tags + body


def test_decode_applies_gray_profile():
    gray = Image.fromarray(np.array([[0, 55, 128, 255]], np.uint8))
    picture = decode(gray, icc_profile=gamma_profile())
    # Linear light v/255 under the sRGB curve.
    np.testing.assert_allclose(picture.pixels[0], [0, 128, 188, 255], atol=2)
    assert picture.notes == ()


def test_decode_ignores_broken_profile(gray):
    picture = decode(gray, icc_profile=b"no profile at all" * 20)
    np.testing.assert_array_equal(picture.pixels, np.asarray(gray))
    assert "unusable ICC profile, sRGB assumed" in picture.notes[0]


def test_decode_keeps_16_bit_gray():
    values = (np.arange(65536, dtype=np.uint32).reshape(256, 256) % 65536).astype(np.uint16)
    for format in ("PNG", "TIFF"):
        picture = decode(Image.fromarray(values), format)
        assert picture.pixels.dtype == np.uint16
        np.testing.assert_array_equal(picture.pixels, values)
    assert to_uint8(values)[255, 255] == 255 and to_uint8(values)[0, 0] == 0


def tiff(order: str, photometric: int, bits: int, data: bytes) -> bytes:
    """A TIFF 6.0 file of 2x2 px by hand, in one strip."""
    tags = {
        256: 2,
        257: 2,
        258: bits,
        259: 1,
        262: photometric,
        273: 0,
        277: 1,
        278: 2,
        279: len(data),
        339: 1,
    }
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IH", 8, len(tags)) + entries + struct.pack(f"{order}I", 0) + data


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("photometric", "values"), [(0, [65535, 65435, 40000, 0]), (1, [0, 100, 25535, 65535])])
def test_decode_inverts_16_bit_min_is_white(order, photometric, values):
    data = tiff(order, photometric, 16, struct.pack(f"{order}4H", *values))
    assert decoding.decode(data, max_pixels=LIMIT).pixels.ravel().tolist() == [0, 100, 25535, 65535]


def test_decode_inverts_8_bit_min_is_white():
    data = tiff("<", 0, 8, bytes([255, 200, 55, 0]))
    assert decoding.decode(data, max_pixels=LIMIT).pixels.ravel().tolist() == [0, 55, 200, 255]


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("orientation", range(10))
def test_decode_applies_orientation_once(rgb, orientation, format):
    """Stored so that a viewer who honours the tag shows the same upright picture; 0 and 9 are no orientations."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that brings upright to stored
    stored = rgb.transpose(Image.Transpose(undo[orientation])) if orientation in undo else rgb
    exif = Image.Exif()
    exif[274] = orientation
    picture = decode(stored, format, exif=exif, **({"quality": 95} if format == "JPEG" else {}))
    assert picture.pixels.shape == (60, 90, 3)
    assert (picture.source_height, picture.source_width) == (60, 90)
    assert np.abs(picture.pixels.astype(int) - np.asarray(rgb)).mean() < 4


def test_decode_draft_is_smaller_and_states_source_size(photographs):
    data = encode(Image.fromarray(photographs["astronaut"]), "JPEG", quality=95)
    whole = decoding.decode(data, max_pixels=LIMIT)
    small = decoding.decode(data, max_pixels=LIMIT, draft_size=128)
    assert small.pixels.shape == (128, 128, 3) and (small.source_height, small.source_width) == (512, 512)
    by_area = np.asarray(Image.fromarray(whole.pixels).resize((128, 128), Image.Resampling.BOX))
    assert np.abs(small.pixels.astype(int) - by_area).mean() < 2


def test_decode_checks_header_before_allocating_pixels():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 200_000, 200_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(errors.TooLarge, match="200000x200000 px, at most 100000000 px"):
        decoding.decode(bomb, max_pixels=300_000_000)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\0" * 500])
def test_decode_refuses_other_content(data):
    with pytest.raises(errors.NotAnImage, match=f"no image of a known format: {len(data)} bytes, expected one"):
        decoding.decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_decode_refuses_truncated_files(rgb, format, share):
    data = encode(rgb, format)
    with pytest.raises((errors.DecodeError, errors.NotAnImage)):
        decoding.decode(data[: int(len(data) * share)], max_pixels=LIMIT)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000"])
def test_decode_of_damaged_file_gives_picture_or_reason(rgb, format):
    data = encode(rgb.convert("P") if format == "GIF" else rgb, format)
    random = np.random.default_rng(0)
    ends = {"image": 0, "reason": 0}
    for _ in range(60):
        broken = bytearray(data)
        for place in random.integers(0, min(len(data), 2000), 8):
            broken[place] = random.integers(256)
        try:
            decoding.decode(bytes(broken), max_pixels=10**6)
            ends["image"] += 1
        except errors.DataError:
            ends["reason"] += 1
    assert (sum(ends.values()) == 60 and ends["reason"] > 0) or format in ("BMP", "PPM")
