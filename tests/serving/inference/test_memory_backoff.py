import pytest
import tensorflow as tf

from serving.inference import memory_backoff
from serving.inference.memory_backoff import BatchLimit


def test_limit_only_shrinks():
    limit = BatchLimit()
    assert limit.size(16) == 16 and not limit.is_one
    for size, expected in ((8, 8), (12, 8), (2, 2), (1, 1), (4, 1)):
        limit.shrink_to(size)
        assert limit.size(16) == expected
    assert limit.is_one


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError("no room"), True),
        (tf.errors.ResourceExhaustedError(None, None, "OOM"), True),
        (tf.errors.InvalidArgumentError(None, None, "poisoned"), False),
        (ValueError("shape"), False),
    ],
)
def test_out_of_memory_is_recognized_by_the_error(error, expected):
    assert memory_backoff.is_out_of_memory(error) is expected
