"""The weights in a bundle."""

import numpy as np
import tensorflow as tf

from photochrom.model.bundle import Bundle
from photochrom.storage import plain_path


def of(opened: Bundle) -> dict[str, np.ndarray]:
    """Returns the weights by their names in the SavedModel."""
    with plain_path.plain(opened.saved_model) as folder:
        reader = tf.train.load_checkpoint(f"{folder}/variables/variables")
        names = [name for name in reader.get_variable_to_shape_map() if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
        return {name: reader.get_tensor(name) for name in names}


def assert_same(found: Bundle, expected: Bundle) -> None:
    """Asserts that two bundles have the same weights; the error names the first that differs."""
    left, right = of(found), of(expected)
    assert left.keys() == right.keys()
    for name in right:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)
