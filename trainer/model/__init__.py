"""The network: encoder, backbones and their weights, decoder, heads.

Here: Keras layers and functions that build them. Not here: losses (`trainer.training`), tf.data (`trainer.data`).
"""
