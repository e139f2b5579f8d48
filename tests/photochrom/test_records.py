import dataclasses
import gzip
import io

import numpy as np
import pytest
import tensorflow as tf

from photochrom import dataset, errors, records
from photochrom.color import cielab


@pytest.fixture(scope="module")
def lab(photographs):
    return cielab.rgb_to_lab(np.ascontiguousarray(photographs["coffee"][:128, :192]))


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_record_survives_a_round_trip(lab, stride):
    record = records.LabRecord.from_lab("a!b", lab, stride, (400, 600))
    again = records.LabRecord.from_example(record.to_example())
    assert (again.key, again.source_height, again.source_width) == ("a!b", 400, 600)
    np.testing.assert_array_equal(again.lightness, record.lightness)
    np.testing.assert_array_equal(again.ab, record.ab)
    assert again.ab.shape == (128 // stride, 192 // stride, 2)


def test_quantisation_error_is_half_a_step(lab):
    again = records.LabRecord.from_lab("a", lab, 1, (1, 1)).to_lab()
    assert np.abs(again[:, :, 0] - lab[:, :, 0]).max() <= 0.5 * 100 / 255 + 1e-4
    assert np.abs(again[:, :, 1:] - lab[:, :, 1:]).max() <= 0.5 + 1e-4


def test_ab_is_the_mean_over_its_stride(lab):
    record = records.LabRecord.from_lab("a", lab, 2, (1, 1))
    mean = lab[:, :, 1:].reshape(64, 2, 96, 2, 2).mean(axis=(1, 3))
    assert np.abs(record.ab - mean).max() <= 0.5 + 1e-3


def test_size_not_divisible_by_stride_is_refused(lab):
    with pytest.raises(ValueError, match="192x128 px does not divide by ab_stride 5"):
        records.LabRecord.from_lab("a", lab, 5, (1, 1))


def test_same_record_gives_same_bytes(lab):
    record = records.LabRecord.from_lab("a", lab, 2, (1, 1))
    assert record.to_example() == dataclasses.replace(record).to_example()


def test_tensorflow_reads_written_records(lab, tmp_path):
    record = records.LabRecord.from_lab("a", lab, 2, (1, 1))
    with open(tmp_path / "x.tfrecord", "wb") as file:
        for _ in range(3):
            records.write_tfrecord(file, record.to_example())
    (batch,) = tf.data.TFRecordDataset(str(tmp_path / "x.tfrecord")).batch(3)
    features = records.parse_examples(batch)
    assert features["key"].numpy().tolist() == [b"a"] * 3
    lightness = records.decode_lightness(features["lightness"], 128, 192)
    np.testing.assert_allclose(lightness[2, :, :, 0], lab[:, :, 0], atol=0.2)
    np.testing.assert_array_equal(records.decode_ab(features["ab"], 64, 96)[0], record.ab)
    assert set(features) == set(dataset.FEATURES) == set(records.FEATURE_SPEC)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_read_tfrecords_reads_tensorflow_files(tmp_path, compression):
    options = tf.io.TFRecordOptions(compression_type="GZIP" if compression == "gzip" else "")
    with tf.io.TFRecordWriter(str(tmp_path / "x"), options) as writer:
        for data in (b"one", b"", b"three" * 1000):
            writer.write(data)
    with open(tmp_path / "x", "rb") as file:
        assert list(records.read_tfrecords(file, compression)) == [b"one", b"", b"three" * 1000]


@pytest.mark.parametrize("damage", ["cut", "length", "data"])
def test_read_tfrecords_refuses_damaged_files(damage):
    buffer = io.BytesIO()
    records.write_tfrecord(buffer, b"record")
    data = bytearray(buffer.getvalue())
    if damage == "cut":
        del data[-3:]
    else:
        data[0 if damage == "length" else 13] ^= 1
    with pytest.raises(errors.ReadError, match="broken TFRecord file"):
        list(records.read_tfrecords(io.BytesIO(data)))


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_read_tfrecords_refuses_other_files(compression):
    with pytest.raises((errors.ReadError, gzip.BadGzipFile)):
        list(records.read_tfrecords(io.BytesIO(b"not a record at all"), compression))
