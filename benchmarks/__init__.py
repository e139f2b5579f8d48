"""What is measured, against what, in one run: `make bench`."""

from photochrom import quiet

quiet.choose_kernels()  # before a module imports TensorFlow
