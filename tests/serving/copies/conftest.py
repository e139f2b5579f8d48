"""Writes copies for tests."""

import dataclasses
import pathlib

import numpy as np
import pytest

from photochrom.imaging.picture import Metadata, Picture
from serving.copies import writer
from serving.copies.options import CopyOptions
from serving.copies.provenance import Provenance

PROVENANCE = Provenance("a <b> & c", "sha256:12", "34" * 32, "scan ü.tif", "2026-01-31")


@dataclasses.dataclass
class Copy:
    """A copy that was written: the file, and the writer's report."""

    path: pathlib.Path
    written: writer.Written

    @property
    def notes(self) -> str:
        return "; ".join(self.written.notes)


@pytest.fixture
def write(tmp_path):
    """Writes the copy of a picture in gray."""

    def call(
        source: str = "TIFF",
        pixels: np.ndarray | None = None,
        alpha: np.ndarray | None = None,
        metadata: Metadata = Metadata(),  # noqa: B008
        name: str = "a/scan",
        ab: np.ndarray | None = None,
        **options,
    ) -> Copy:
        pixels = np.zeros((20, 30), np.uint8) if pixels is None else pixels
        picture = Picture(pixels, alpha, source, *pixels.shape[:2], metadata=metadata)
        ab = np.full((2, 3, 2), (10, 20), np.float32) if ab is None else ab
        written = writer.write(str(tmp_path), name, picture, ab, PROVENANCE, CopyOptions(**options))
        return Copy(tmp_path / written.path, written)

    return call
