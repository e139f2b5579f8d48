"""Random parameters for each picture of a batch, from a seed alone."""

import tensorflow as tf


class Draws:
    """Random numbers for each picture of a batch, new ones at each call."""

    def __init__(self, seed: tf.Tensor, batch_size: tf.Tensor):
        """Args: seed: [2] int; the same seed gives the same numbers. batch_size: pictures."""
        self._seed, self._batch_size, self._calls = seed, batch_size, 0

    def between(self, low: float, high: float, count: int = 1) -> tf.Tensor:
        """Returns [B, 1, 1, count] float32, uniform."""
        return tf.random.stateless_uniform([self._batch_size, 1, 1, count], self._next(), low, high)

    def noise(self, like: tf.Tensor) -> tf.Tensor:
        """Returns standard normal noise of the shape of a tensor."""
        return tf.random.stateless_normal(tf.shape(like), self._next())

    def _next(self) -> tf.Tensor:
        self._calls += 1
        return tf.stack([self._seed[0], self._seed[1] + 1_000_003 * self._calls])
