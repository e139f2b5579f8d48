"""The first half of colorize: a source in, a scan for the model out, or the row of what needs no model."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from photochrom import archives, errors, files, images, keys
from photochrom.archives import Source
from photochrom.bundle import Bundle
from serving import copying, formats, manifest, scans, screen
from serving.config import ColorizeConfig
from serving.exclusion import ExclusionList
from serving.manifest import Row
from serving.scans import Scan

ROWS = "rows"
# Paths of copies that must not stay, without a row.
OBSOLETE = "obsolete"


class ReadScan(beam.DoFn):
    """(key, (sources, earlier rows)) -> Scan; what needs no model or cannot be read goes to ROWS at once."""

    def __init__(self, config: ColorizeConfig, bundle: Bundle, exclusions: ExclusionList):
        self._config = config
        self._bundle = bundle
        self._exclusions = exclusions

    def setup(self) -> None:
        self._reader = archives.Reader(files.open_read)

    def process(self, element: tuple[str, tuple[Iterable[Source], Iterable[Row]]]) -> Iterator[Any]:
        sources, rows = list(element[1][0]), list(element[1][1])
        earlier = rows[0] if rows else {}
        if not sources:  # a row whose source is no longer listed, perhaps because what holds it is excluded
            if self._exclusions.covers(element[0]):
                yield from (beam.pvalue.TaggedOutput(OBSOLETE, path) for path in manifest.paths_of(earlier))
            return
        source = archives.only_one(sources)
        try:
            result = self._read(source, earlier)
        except errors.DataError as error:
            is_excluded = error.reason == errors.Excluded.reason
            failed = _excluded_row(source, earlier, error) if is_excluded else _failed_row(source, error)
            result = manifest.with_obsolete(failed, earlier)
            if is_excluded and earlier.get("status") == manifest.FAILED:
                result[manifest.OBSOLETE] += self._unnamed(source)
        yield result if isinstance(result, Scan) else beam.pvalue.TaggedOutput(ROWS, result)

    def _read(self, source: Source, earlier: Row) -> Scan | Row:
        if self._exclusions.covers(source.key):
            raise errors.Excluded("is on the exclusion list")
        if source.failure:
            raise source.failure.to_error()
        data = self._reader.read(source)
        made_with = copying.made_with(hashlib.sha256(data).hexdigest(), self._config, self._bundle)
        if earlier and self._is_current(earlier, made_with) and not self._shows_excluded(source, earlier["reason"]):
            beam.metrics.Metrics.counter(type(self), "rows-kept").inc()
            return earlier
        bundle = self._bundle
        try:
            scan = scans.read(source, data, bundle.image_size, bundle.ab_stride, self._config.decoder())
        except errors.DataError as error:
            return manifest.with_obsolete(_failed_row(source, error, **made_with), earlier)
        screened = self._screened(scan, data)
        return manifest.with_obsolete(screened, earlier) if screened else dataclasses.replace(scan, earlier=earlier)

    def _screened(self, scan: Scan, data: bytes) -> Row | None:
        """Returns the row of a scan that is not to be colorized, by what triage found, or None."""
        source, known = scan.source, copying.known(scan, self._config, self._bundle)
        action, reason, message = screen.decide(scan.triage, self._config)
        if action == screen.SKIP:
            return manifest.row(source, manifest.SKIPPED, reason=reason, stage="screen", message=message, **known)
        if action == screen.COPY:
            if self._shows_excluded(source, reason):
                raise errors.Excluded("cannot be copied: of the other pages of its file one is on the exclusion list")
            # All pages lie in one copy.
            key = keys.of_file(source.key) if source.page_count > 1 else source.key
            name = files.join("images", keys.to_path(key))
            copying.write_file(files.join(self._config.output, name), data)
            return manifest.row(source, manifest.DONE, reason=reason, output=name, output_sha256=scan.sha256, **known)
        return None

    def _shows_excluded(self, source: Source, reason: str) -> bool:
        """Says whether a copy of the whole file, as a row with this reason has it, would show an excluded page."""
        pages = range(source.page_count if reason in screen.WHOLE_FILE else 1)
        file = keys.of_file(source.key)
        return len(pages) > 1 and any(self._exclusions.covers(keys.of_page(file, n, len(pages))) for n in pages)

    def _unnamed(self, source: Source) -> list[str]:
        """Returns what may be there of an input that failed: its row does not name the copy that it had before."""
        names = formats.names(files.join("images", keys.to_path(source.key)))
        paths = [name + end for name in names for end in ("", ".exif", ".iptc", ".xmp")]
        return [path for path in paths if not files.is_folder(files.join(self._config.output, path))]

    def _is_current(self, earlier: Row, made_with: dict[str, str]) -> bool:
        if self._config.retry == "all" or (self._config.retry == "failed" and earlier["status"] == manifest.FAILED):
            return False
        output = self._config.output
        return copying.is_of_the_same(earlier, made_with) and all(
            files.exists(files.join(output, path)) for path in manifest.paths_of(earlier)
        )


def _excluded_row(source: Source, earlier: Row, error: errors.DataError) -> Row:
    """Says for as long as the row stands that the copy which an earlier run made was deleted."""
    notes = earlier.get("notes", []) if earlier.get("reason") == error.reason else []
    if earlier.get("output"):
        notes = [f"the copy that an earlier run made, {earlier['output']}, was deleted"]
    return manifest.row(
        source, manifest.SKIPPED, reason=error.reason, stage=error.stage, message=str(error), notes=notes
    )


def _failed_row(source: Source, error: errors.DataError, **values: Any) -> Row:
    """A file that is no image, and whose name does not claim that it is one, was skipped rather than lost."""
    suffix = "." + source.key.lower().rpartition(".")[2]
    if isinstance(error, errors.NotAnImage) and suffix not in images.IMAGE_SUFFIXES:
        return manifest.row(source, manifest.SKIPPED, reason=error.reason, stage="screen", message=str(error), **values)
    return manifest.failed(source, error, **values)
