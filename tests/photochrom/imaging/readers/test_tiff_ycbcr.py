import struct

import imagecodecs
import numpy as np
import pytest
import skimage.data

from photochrom import errors
from photochrom.imaging import decoding

RGB = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:420:5])  # 48x64
FULL, VIDEO = (0, 255, 128, 255, 128, 255), (16, 235, 128, 240, 128, 240)


def to_ycc(rgb: np.ndarray, limits: tuple[int, ...] = FULL) -> np.ndarray:
    """TIFF 6.0, section 21: luma of BT.601, stored between reference black and white."""
    red, green, blue = (rgb[:, :, i].astype(float) for i in range(3))
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = (y, (blue - y) / 1.772, (red - y) / 1.402)
    stored = [
        plane * (white - black) / full + black
        for plane, black, white, full in zip(planes, limits[::2], limits[1::2], (255, 127, 127), strict=True)
    ]
    return np.clip(np.rint(np.dstack(stored)), 0, 255).astype(np.uint8)


def blocky(across: int, down: int) -> np.ndarray:
    """The picture with one colour for each data unit, so that subsampling loses nothing."""
    return RGB[::down, ::across].repeat(down, axis=0).repeat(across, axis=1)[:48, :64]


def units(ycc: np.ndarray, across: int, down: int) -> bytes:
    """Data units, of a size that is a multiple of the subsampling."""
    high, wide = ycc.shape[0] // down, ycc.shape[1] // across
    luma = ycc[:, :, 0].reshape(high, down, wide, across).swapaxes(1, 2).reshape(high, wide, -1)
    chroma = ycc[::down, ::across, 1:]
    return np.concatenate([luma, chroma], axis=2).tobytes()


def ycbcr_tiff(strips: list[bytes], rows: int, across: int, down: int, limits=FULL, more=(), size=(64, 48)) -> bytes:
    """A little-endian TIFF by hand: its strips, then the values of long tags, then its directory and an empty one."""
    place, data = 8, b""
    offsets = []
    for strip in strips:
        offsets.append(place + len(data))
        data += strip
    values = {258: struct.pack("<3H", 8, 8, 8), 532: struct.pack("<12I", *(n for v in limits for n in (v, 1)))}
    values[273] = struct.pack(f"<{len(strips)}I", *offsets)
    values[279] = struct.pack(f"<{len(strips)}I", *map(len, strips))
    tags = {256: (3, size[0]), 257: (3, size[1]), 258: (3, None), 259: (3, 1), 262: (3, 6), 273: (4, None), 277: (3, 3),
            278: (3, rows), 279: (4, None), 530: (3, across | down << 16), 532: (5, None), **dict(more)}  # fmt: skip
    entries = b""
    for number, (kind, stated) in sorted(tags.items()):
        raw, value = values.get(number, b""), stated
        count = len(raw) // {3: 2, 4: 4, 5: 8}[kind] if raw else 2 if number == 530 else 1
        if len(raw) > 4:
            value, data = place + len(data), data + raw
        elif raw:
            value = int.from_bytes(raw, "little")
        entries += struct.pack("<HHII", number, kind, count, value)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", place + len(data)) + data + directory


def difference(data: bytes, expected: np.ndarray) -> float:
    picture = decoding.decode(data, max_pixels=10**6)
    assert picture.pixels.shape == expected.shape
    return float(np.abs(picture.pixels.astype(int) - expected).max())


@pytest.mark.parametrize("limits", [FULL, VIDEO], ids=["full", "video"])
@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2)])
def test_decode_reads_ycbcr_of_any_subsampling(across, down, limits):
    rgb = blocky(across, down)
    ycc = to_ycc(rgb, limits)
    data = ycbcr_tiff([units(ycc[:32], across, down), units(ycc[32:], across, down)], 32, across, down, limits)
    assert difference(data, rgb) <= 3  # two roundings of the test's own, one of the reader


def test_decode_reads_ycbcr_of_odd_size():
    """61x45 px: the last data units reach beyond the picture."""
    rgb = blocky(2, 2)
    data = ycbcr_tiff([units(to_ycc(rgb[:46, :62]), 2, 2)], 45, 2, 2, size=(61, 45))
    assert difference(data, rgb[:45, :61]) <= 3


def test_decode_reads_compressed_ycbcr():
    rgb = blocky(2, 2)
    strip = imagecodecs.lzw_encode(units(to_ycc(rgb), 2, 2))
    assert difference(ycbcr_tiff([strip], 48, 2, 2, more={259: (3, 5)}.items()), rgb) <= 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"more": {530: (3, 3 | 1 << 16)}.items()}, "undecodable"),
        ({"strips": [b"short"]}, "undecodable"),
        ({"more": {259: (3, 5), 317: (3, 2)}.items()}, "unsupported_compression"),
    ],
)
def test_decode_refuses_other_ycbcr(change, reason):
    arguments = {"strips": [units(to_ycc(RGB), 2, 2)], "rows": 48, "across": 2, "down": 2, **change}
    with pytest.raises(errors.DecodeError) as caught:
        decoding.decode(ycbcr_tiff(**arguments), max_pixels=10**6)
    assert caught.value.reason == reason
