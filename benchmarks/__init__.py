"""What is measured, against what, in one run: `make bench`."""

from photochrom.jobs import tensorflow_setup

tensorflow_setup.choose_kernels()  # before a module imports TensorFlow
