"""The second half of colorize: a scan and its colours in, the copy written, its row out."""

import dataclasses
import functools
from collections.abc import Iterator

from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from photochrom import errors
from photochrom.jobs.ahead_dofn import AheadDoFn
from photochrom.model.bundle import Bundle
from photochrom.sources import keys
from photochrom.storage import files
from serving import name_errors
from serving.config import ColorizeConfig
from serving.copies import writer
from serving.copies.provenance import Provenance
from serving.inference.predictor import Colors, Inferred
from serving.manifest.rows import Outcome, Row
from serving.scans import Candidate
from serving.screening import screen

# About the memory that composing and encoding a copy takes.
_BYTES_PER_PIXEL = 16


class WriteCopies(AheadDoFn):
    """Scan and colours -> its outcome, the copy written; several at a time if they go to a bucket."""

    def __init__(self, config: ColorizeConfig, bundle: Bundle):
        self._config = config
        self._bundle = bundle

    def process(self, inferred: Inferred) -> Iterator[Outcome]:
        wait = not files.is_local(self._config.output)
        call = functools.partial(write, inferred, self._config, self._bundle)
        size = _BYTES_PER_PIXEL * inferred[0].scan.pixel_count
        yield from (result() for _, result in self._ahead.add(None, call, size, wait))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for _, result in self._ahead.flush():
            yield GlobalWindows.windowed_value(result())


def write(inferred: Inferred, config: ColorizeConfig, bundle: Bundle) -> Outcome:
    """Writes the coloured copy of a scan, if the model gave it colours, and returns its outcome.

    Args:
        inferred: the scan, and the model's result for it.
        config: the job's settings.
        bundle: the model.
    """
    candidate, colors = inferred
    row = candidate.row
    try:
        if isinstance(colors, errors.ModelError):
            raise colors
        row = _write_copy(candidate, colors, config, bundle)
    except errors.Uncolored as error:  # the same model would give the same result again, so it is no failure to retry
        row = row.skipped(error.reason, error.stage, str(error))
    except errors.DataError as error:
        row = row.failed(error)
    return Outcome.of(row, candidate.earlier_paths)


def _write_copy(candidate: Candidate, colors: Colors, config: ColorizeConfig, bundle: Bundle) -> Row:
    """Writes the copy and returns its row, with the fields that describe the copy."""
    scan, row = candidate.scan, candidate.row
    screen.check_colored(scan.seen, colors.ab, config.saturation)
    archive, member = keys.split_member(row.key)
    name = (member or archive).rpartition("/")[2]
    provenance = Provenance(
        bundle.info["name"], row.model_digest, row.source_sha256, name, row.date, config.digital_source_type
    )
    picture = scan.full_picture(config.decoder())
    with name_errors.as_data_errors(config.output, candidate.path):
        written = writer.write(config.output, candidate.path, picture, colors.ab, provenance, config.copy_options())
    return dataclasses.replace(
        row,
        output=written.path,
        output_sha256=written.sha256,
        sidecars=written.sidecars,
        height=written.height,
        width=written.width,
        format=written.format,
        confidence=colors.confidence,
        notes=(*screen.notes(scan.triage), *colors.notes, *picture.notes, *written.notes),
    )
