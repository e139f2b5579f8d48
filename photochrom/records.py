"""Lab records: one photograph as a tf.train.Example, and the TFRecord framing. This module imports TensorFlow.

| feature                        | dtype, shape                              | unit           |
|--------------------------------|-------------------------------------------|----------------|
| `key`                          | bytes                                     |                |
| `lightness`                    | bytes = uint8 [H, W]                      | L* x 255/100   |
| `ab`                           | bytes = int8 [H/s, W/s, 2], s = ab_stride | CIE a*, b*     |
| `height`, `width`, `ab_stride` | int64                                     | px             |
| `source_height`, `source_width`| int64                                     | px, original   |
"""

import dataclasses
import gzip
import struct
from collections.abc import Iterator
from typing import IO, cast

import cv2
import google_crc32c
import numpy as np
import tensorflow as tf

from photochrom import dataset, errors
from photochrom.imaging import resizing

# L* 0..100 is stored in 0..255.
LIGHTNESS_SCALE = 255 / 100

FEATURE_SPEC = {
    name: tf.io.FixedLenFeature([], tf.int64 if feature.dtype == "int64" else tf.string)
    for name, feature in dataset.FEATURES.items()
}


@dataclasses.dataclass(frozen=True)
class LabRecord:
    """One stored photograph.

    Attributes:
        key: the stable name of the input.
        lightness: [H, W] uint8, L* x 255/100.
        ab: [H/s, W/s, 2] int8, CIE a* and b*.
        source_height, source_width: size of the original, px.
    """

    key: str
    lightness: np.ndarray
    ab: np.ndarray
    source_height: int
    source_width: int

    @classmethod
    def from_lab(cls, key: str, lab: np.ndarray, ab_stride: int, source_size: tuple[int, int]) -> "LabRecord":
        """Quantises [H, W, 3] float32 L*a*b*; ab is averaged over `ab_stride` px along each axis."""
        height, width = lab.shape[:2]
        if height % ab_stride or width % ab_stride:
            raise ValueError(f"a picture of {width}x{height} px does not divide by ab_stride {ab_stride}")
        ab = cv2.resize(lab[:, :, 1:], (width // ab_stride, height // ab_stride), interpolation=cv2.INTER_AREA)
        return cls(
            key,
            np.rint(lab[:, :, 0] * LIGHTNESS_SCALE).clip(0, 255).astype(np.uint8),
            np.rint(ab).clip(-128, 127).astype(np.int8),
            *source_size,
        )

    @classmethod
    def blank(cls, image_size: int, ab_stride: int) -> "LabRecord":
        """Returns a square black record, as input for a trial run of a graph."""
        ab_size = image_size // ab_stride
        return cls("", np.zeros((image_size,) * 2, np.uint8), np.zeros((ab_size, ab_size, 2), np.int8), 1, 1)

    def to_example(self) -> bytes:
        """Returns the serialized tf.train.Example; the same record always gives the same bytes."""
        height, width = self.lightness.shape
        feature = {
            "key": _bytes(self.key.encode()),
            "lightness": _bytes(self.lightness.tobytes()),
            "ab": _bytes(self.ab.tobytes()),
            "height": _int(height),
            "width": _int(width),
            "ab_stride": _int(height // self.ab.shape[0]),
            "source_height": _int(self.source_height),
            "source_width": _int(self.source_width),
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        return example.SerializeToString(deterministic=True)  # otherwise the order of a map is undefined

    @classmethod
    def from_example(cls, data: bytes) -> "LabRecord":
        """Parses the result of `to_example`."""
        features = tf.train.Example.FromString(data).features.feature
        height, width, stride = (features[name].int64_list.value[0] for name in ("height", "width", "ab_stride"))
        lightness, ab = (features[name].bytes_list.value[0] for name in ("lightness", "ab"))
        return cls(
            features["key"].bytes_list.value[0].decode(),
            np.frombuffer(lightness, np.uint8).reshape(height, width),
            np.frombuffer(ab, np.int8).reshape(height // stride, width // stride, 2),
            features["source_height"].int64_list.value[0],
            features["source_width"].int64_list.value[0],
        )

    def to_lab(self) -> np.ndarray:
        """Returns [H, W, 3] float32 CIE L*a*b*, ab enlarged by bicubic interpolation.

        It adds nothing to the record: `upsampling` would infer the edges of colours from L*.
        """
        lightness = self.lightness.astype(np.float32) / np.float32(LIGHTNESS_SCALE)
        return np.dstack([lightness, resizing.resize(self.ab.astype(np.float32), *self.lightness.shape)])


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def parse_examples(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses a [B] batch of serialized examples into raw features, bytes still undecoded."""
    return tf.io.parse_example(serialized, FEATURE_SPEC)


def decode_lightness(raw: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Decodes [B] `lightness` bytes to [B, H, W, 1] float32 L* in [0, 100]."""
    codes = tf.reshape(tf.io.decode_raw(raw, tf.uint8), [-1, height, width, 1])
    return tf.cast(codes, tf.float32) / LIGHTNESS_SCALE


def decode_ab(raw: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Decodes [B] `ab` bytes to [B, height, width, 2] int8 CIE a*, b*; the size is that of ab."""
    return tf.reshape(tf.io.decode_raw(raw, tf.int8), [-1, height, width, 2])


def write_tfrecord(file: IO[bytes], data: bytes) -> None:
    """Appends one record in TFRecord framing.

    Source: tensorflow/core/lib/io/record_writer.h: length, masked crc32c of it, data, masked crc32c of it.
    """
    length = struct.pack("<Q", len(data))
    file.write(length + _masked_crc(length))
    file.write(data)
    file.write(_masked_crc(data))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def read_tfrecords(file: IO[bytes], compression: str = "none") -> Iterator[bytes]:
    """Yields the records of an opened TFRecord file, whose compression is `none` or `gzip`.

    Raises:
        ReadError: it is truncated or a checksum is wrong.
    """
    if compression == "gzip":
        file = cast(IO[bytes], gzip.GzipFile(fileobj=file))
    while header := file.read(12):
        if len(header) < 12 or header[8:] != _masked_crc(header[:8]):
            raise errors.ReadError("broken TFRecord file: the length of a record is damaged")
        (length,) = struct.unpack("<Q", header[:8])
        data, crc = file.read(length), file.read(4)
        if len(data) < length or crc != _masked_crc(data):
            raise errors.ReadError("broken TFRecord file: a record is damaged")
        yield data
