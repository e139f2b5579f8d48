"""The second half of colorize: a scan and its colours in, the copy written, its row out."""

import contextlib
import errno
import functools
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from photochrom import errors
from photochrom.model.bundle import Bundle
from photochrom.sources import keys
from photochrom.sources.prefetch import Ahead
from photochrom.storage import files
from serving.config import ColorizeConfig
from serving.copies import writer
from serving.copies.provenance import Provenance
from serving.inference.predictor import Colors, Inferred
from serving.manifest import manifest
from serving.manifest.manifest import Row
from serving.resume.decide import Earlier
from serving.scans import Scan
from serving.screening import screen

# About what composing and encoding a copy takes.
_BYTES_PER_PIXEL = 16
# A name that the file system will not take is bad data; a full disk is not.
_NAME_ERRORS = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR)


class WriteCopies(beam.DoFn):
    """Scan and colours -> the row, the copy written; several at a time where they go to a bucket."""

    def __init__(self, config: ColorizeConfig, bundle: Bundle, today: str):
        self._config = config
        self._bundle = bundle
        self._today = today

    def setup(self) -> None:
        self._ahead = Ahead()

    def teardown(self) -> None:
        self._ahead.close()

    def process(self, inferred: Inferred) -> Iterator[Row]:
        wait = not files.is_local(self._config.output)
        call = functools.partial(write, inferred, self._config, self._bundle, self._today)
        size = _BYTES_PER_PIXEL * inferred[0].pixel_count
        yield from (result() for _, result in self._ahead.add(None, call, size, wait))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for _, result in self._ahead.flush():
            yield GlobalWindows.windowed_value(result())


def write(inferred: Inferred, config: ColorizeConfig, bundle: Bundle, today: str) -> Row:
    """Writes the coloured copy of a scan, if the model gave it colours, and returns its row.

    Args:
        inferred: the scan, and what the model says of it.
        config: the job's settings.
        bundle: the model.
        today: the day that a new copy states, YYYY-MM-DD.
    """
    scan, _ = inferred
    return manifest.with_obsolete(_write(inferred, config, bundle, today), scan.earlier.paths())


def _write(inferred: Inferred, config: ColorizeConfig, bundle: Bundle, today: str) -> Row:
    scan, colors = inferred
    said_of_it = known(scan, config, bundle)
    try:
        if isinstance(colors, errors.ModelError):
            raise colors
        return _write_copy(scan, colors, config, bundle, today, said_of_it)
    except errors.Uncolored as error:  # the same model would say the same again, so it is no failure to retry
        return manifest.row(
            scan.source, manifest.SKIPPED, reason=error.reason, stage=error.stage, message=str(error), **said_of_it
        )
    except errors.DataError as error:
        return manifest.failed(scan.source, error, **said_of_it)


def made_with(source_sha256: str, config: ColorizeConfig, bundle: Bundle) -> dict[str, str]:
    """Returns what decides the bytes of a copy, as its row states it: the scan, the model and the settings."""
    return {"source_sha256": source_sha256, **made_by(config, bundle)}


def made_by(config: ColorizeConfig, bundle: Bundle) -> dict[str, str]:
    """Returns the model and the settings, as rows state them."""
    return {"model_digest": bundle.digest, "settings_digest": config.output_digest()}


def date_of(earlier: Earlier, made_with: dict[str, str], config: ColorizeConfig, today: str) -> str:
    """Returns the date of a new copy: the one asked for, else that of an earlier copy of the same, else today."""
    same = (row.get("date", "") for row in earlier.rows if made_with.items() <= row.items())
    return config.date or next(filter(None, same), today)


def known(scan: Scan, config: ColorizeConfig, bundle: Bundle) -> dict[str, Any]:
    """Returns what a row says of a scan that was decoded."""
    return {
        **made_with(scan.sha256, config, bundle),
        "kind": scan.triage.kind,
        "chroma": scan.triage.tone.chroma,
        "spread": scan.triage.tone.spread,
    }


def write_file(path: str, data: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        DataError: the file system does not take its name.
    """
    with _unwritable_names():
        files.write_bytes(path, data)


def _write_copy(
    scan: Scan, colors: Colors, config: ColorizeConfig, bundle: Bundle, today: str, said_of_it: dict[str, Any]
) -> Row:
    screen.check_colored(scan.lightness[: scan.size[0], : scan.size[1]], colors.ab, config.saturation)
    date = date_of(scan.earlier, made_with(scan.sha256, config, bundle), config, today)
    name = keys.to_path(scan.source.key).rpartition("/")[2]
    provenance = Provenance(bundle.info["name"], bundle.digest, scan.sha256, name, date, config.digital_source_type)
    picture = scan.full_picture(config.decoder())
    with _unwritable_names():
        path = files.join("images", keys.to_path(scan.source.key))
        written = writer.write(config.output, path, picture, colors.ab, provenance, config.copy_options())
    return manifest.row(
        scan.source,
        manifest.DONE,
        output=written.path,
        output_sha256=written.sha256,
        sidecars=written.sidecars,
        height=written.height,
        width=written.width,
        format=written.format,
        confidence=colors.confidence,
        notes=[*screen.notes(scan.triage), *colors.notes, *picture.notes, *written.notes],
        date=date,
        **said_of_it,
    )


@contextlib.contextmanager
def _unwritable_names() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NAME_ERRORS:
            raise errors.DataError(f"cannot be written under its name: {error}", "unwritable_name", "write") from error
        raise
