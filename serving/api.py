"""Colorizing from Python: a picture by `load_model(...).colorize`, an archive by `colorize_archive`.

`import photochrom` offers both. A picture takes the job's own way: decoder, working size, model, composition.
"""

import dataclasses
import io
import os
from typing import Any

import numpy as np
from PIL import Image

from photochrom import errors
from photochrom import flags as arguments
from photochrom.imaging.sandbox.decoder import DEFAULT_MAX_PIXELS, Decoder
from photochrom.jobs import tensorflow_setup
from photochrom.model import bundle, loaded, signature
from photochrom.model.bundle import Bundle
from photochrom.sources import member_reader
from photochrom.sources.source import Source
from serving import scans
from serving.copies.raster import Raster
from serving.inference.memory import Room
from serving.inference.predictor import Colors, Predictor
from serving.manifest.rows import Summary


@dataclasses.dataclass(frozen=True)
class Model:
    """A loaded colorizer; several threads may use it.

    Attributes:
        bundle: the model's folder, description and digest.
    """

    bundle: Bundle
    _network: loaded.Model
    _predictor: Predictor

    def colorize(
        self, picture: str | os.PathLike[str] | np.ndarray | Image.Image, *, saturation: float = 1.0
    ) -> Image.Image:
        """Returns the coloured picture at its full size.

        L* is that of the picture, within rounding. A PNG that `photochrom colorize` writes has the same pixels, apart
        from those of more than 8 bits a channel, which Pillow cannot hold.

        Args:
            picture: the path of an image file; [H, W] or [H, W, 3] uint8 or uint16 of gray or sRGB; or a Pillow image.
            saturation: factor on the chroma, 0 and more.

        Returns:
            An image of mode RGB, or RGBA where the picture has opacity, upright.

        Raises:
            DataError: it cannot be read or decoded, or is too large.
            ModelError: the model failed on it.
        """
        decoder = Decoder(DEFAULT_MAX_PIXELS)
        scan = scans.read(Source("", ""), _encoded(picture), self.bundle.image_size, self.bundle.ab_stride, decoder)
        colors = self._colors(scan)
        return Image.fromarray(Raster(scan.full_picture(decoder), colors.ab, saturation=saturation).array())

    def predict_ab(self, lightness: np.ndarray) -> np.ndarray:
        """Returns the colours of pictures at the network's own scale, without any other step.

        Args:
            lightness: [B, H, W, 1] or [H, W] float32, L* in 0..100; H and W are multiples of 32.

        Returns:
            [B, H/s, W/s, 2] or [H/s, W/s, 2] float32 CIE a*, b*, where s is `bundle.ab_stride`.

        Raises:
            ValueError: another shape.
            PhotochromError: the model failed.
        """
        single = np.ndim(lightness) == 2
        batch = np.asarray(lightness, np.float32)[None, ..., None] if single else np.asarray(lightness, np.float32)
        if batch.ndim != 4 or batch.shape[3] != 1 or any(side % signature.SIZE_STEP for side in batch.shape[1:3]):
            raise ValueError(
                f"lightness has the shape {np.shape(lightness)}, expected [H, W] or [B, H, W, 1], with H and W "
                f"multiples of {signature.SIZE_STEP}"
            )
        ab, _ = self._network.predict_checked(batch)
        return ab[0] if single else ab

    def _colors(self, scan: scans.Scan) -> Colors:
        [(_, found)] = self._predictor.colors([scan])
        if isinstance(found, errors.ModelError):
            raise found
        return found


def load_model(path: str = bundle.DEFAULT) -> Model:
    """Loads a model bundle: `default`, or a folder that `photochrom train` wrote, local, `gs://` or `s3://`.

    Raises:
        UsageError: there is no bundle, or it is damaged or not accepted.
    """
    opened = bundle.open_bundle(path)
    tensorflow_setup.import_tensorflow()
    network = loaded.Model(opened)
    return Model(opened, network, Predictor(network.predict, opened.ab_stride, Room()))


def colorize_archive(
    inputs: str | list[str], output: str, *, beam_flags: list[str] | None = None, **flags: Any
) -> Summary:
    """Runs `photochrom colorize` and returns the totals of the output folder.

    Args:
        inputs: a folder, glob, archive or manifest, or several.
        output: the output folder.
        beam_flags: such as ["--runner=FlinkRunner"].
        **flags: those of `photochrom colorize --help`, by their names: `saturation=0.8`.

    Raises:
        UsageError: a flag does not fit; nothing was done.
        TooManyFailures, NothingDone: the job finished, and too much failed.
    """
    from serving import colorize
    from serving.manifest import reader

    colorize.run([*arguments.to_args({"input": inputs, "output": output, **flags}), *(beam_flags or [])])
    return reader.read_summary(output)


def _encoded(picture: str | os.PathLike[str] | np.ndarray | Image.Image) -> bytes:
    """Returns the file of a picture, or a lossless one with its pixels."""
    if isinstance(picture, (str, os.PathLike)):
        return member_reader.read(Source("", os.fspath(picture)))
    file = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(file, "PNG", icc_profile=picture.info.get("icc_profile"), exif=picture.getexif())
    else:
        import tifffile

        tifffile.imwrite(file, picture, photometric="rgb" if np.ndim(picture) == 3 else "minisblack")
    return file.getvalue()
