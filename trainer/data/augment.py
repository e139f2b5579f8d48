"""Random changes to training tensors that preserve the colours: a function of the tensors and a seed alone."""

import tensorflow as tf

Tensors = dict[str, tf.Tensor]

# A crop of S px shows a region of 0.8 S to 1.6 S px.
_LEAST_REGION, _MOST_REGION = 0.8, 1.6


def mirror(tensors: Tensors, seed: tf.Tensor) -> Tensors:
    """Mirrors half of the photographs of a batch.

    Args:
        tensors: name -> [B, h, w, C], each at its own resolution.
        seed: [2] int.
    """
    batch_size = tf.shape(next(iter(tensors.values())))[0]
    mirrored = tf.random.stateless_uniform([batch_size, 1, 1, 1], seed) < 0.5
    return {name: tf.where(mirrored, tensor[:, :, ::-1], tensor) for name, tensor in tensors.items()}


def crop(tensors: Tensors, size: int, seed: tf.Tensor) -> Tensors:
    """Cuts a random square out of each photograph and scales it to `size` px, at the same position in all tensors.

    Args:
        tensors: name -> [B, h, h, C]; the first one is at full resolution, and `size` is of it.
        seed: [2] int.

    Returns:
        name -> [B, s, s, C], where s is `size` in that tensor's resolution.
    """
    full = next(iter(tensors.values())).shape[1]
    batch_size = tf.shape(next(iter(tensors.values())))[0]
    random = tf.random.stateless_uniform([batch_size, 3], seed)
    # Shares of the picture's side.
    least, most = min(_LEAST_REGION * size / full, 1.0), min(_MOST_REGION * size / full, 1.0)
    side = least + random[:, :1] * (most - least)
    start = random[:, 1:] * (1 - side)
    return {name: _cut(tensor, start, side, size * tensor.shape[1] // full) for name, tensor in tensors.items()}


def _cut(tensor: tf.Tensor, start: tf.Tensor, side: tf.Tensor, size: int) -> tf.Tensor:
    """Resamples [B, h, h, C] to [B, size, size, C]: from `start` [B, 2] over `side` [B, 1], shares of the height.

    Bilinear, between pixel centres: `crop_and_resize` expects the centres of the first and the last pixel of its
    result, in units of h - 1.
    """
    height = tensor.shape[1]
    step = side * height / size
    first = (start * height + step / 2 - 0.5) / (height - 1)
    last = first + step * (size - 1) / (height - 1)
    return tf.image.crop_and_resize(tensor, tf.concat([first, last], 1), tf.range(tf.shape(tensor)[0]), [size, size])
