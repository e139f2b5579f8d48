"""The first half of colorize: a source in, a scan for the model out, or the row of what needs no model."""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from photochrom import errors
from photochrom.imaging import decoding
from photochrom.model.bundle import Bundle
from photochrom.sources import keys, member_reader, prefetch
from photochrom.sources.source import Source, only_one, place
from photochrom.storage import files
from serving import scans, write_copies
from serving.config import ColorizeConfig
from serving.copies import formats
from serving.manifest import manifest
from serving.manifest.manifest import Row
from serving.resume import decide, journal
from serving.resume.decide import Earlier
from serving.scans import Scan
from serving.screening import screen
from serving.screening.exclusion import ExclusionList

# New rows of what needs no model or cannot be read; earlier rows that stand; those of inputs that are not listed.
NEW, KEPT, GONE = "new", "kept", "gone"
# Paths of copies that must not stay, without a row.
OBSOLETE = "obsolete"


@dataclasses.dataclass
class ReadScans(beam.PTransform):
    """(key, sources and what earlier runs left) -> `scans`; rows NEW, KEPT and GONE; paths that are OBSOLETE.

    What has to be read is put together by where it lies, so that neighbours in an archive are read by one request.
    """

    config: ColorizeConfig
    bundle: Bundle
    exclusions: ExclusionList

    def expand(self, joined: beam.PCollection) -> Any:  # Beam warns of a hint that is a dict
        settings = self.config, self.bundle, self.exclusions
        listed = joined | "Settle" >> beam.ParDo(Settle(*settings)).with_outputs(
            NEW, KEPT, GONE, OBSOLETE, main="unread"
        )
        read = (
            listed.unread
            | "KeyNeighbours" >> beam.WithKeys(lambda found: member_reader.neighbourhood(found[0]))
            | "GroupNeighbours" >> beam.GroupByKey()
            | "Read" >> beam.ParDo(ReadScan(*settings)).with_outputs(NEW, KEPT, main="scans")
        )
        both = {tag: (listed[tag], read[tag]) | f"All{tag.title()}" >> beam.Flatten() for tag in (NEW, KEPT)}
        return {"scans": read.scans, GONE: listed[GONE], OBSOLETE: listed[OBSOLETE], **both}


class _Step(beam.DoFn):
    """What both steps do: find the row that stands, or refuse an input."""

    def __init__(self, config: ColorizeConfig, bundle: Bundle, exclusions: ExclusionList):
        self._config = config
        self._bundle = bundle
        self._exclusions = exclusions

    def _kept(self, source: Source, left: Earlier, same: dict[str, Any]) -> Row | None:
        row = left.current(self._config.output, self._config.retry, lambda row: same.items() <= row.items())
        if row is None or self._shows_excluded(source, row["reason"]):
            return None
        beam.metrics.Metrics.counter(ReadScans, "rows-kept").inc()
        return row

    def _refused(self, source: Source, error: errors.DataError, left: Earlier) -> Row:
        """Returns the row of an input of which nothing was decoded."""
        if error.reason != errors.Excluded.reason:
            return manifest.with_obsolete(_failed_row(source, error), left.paths())
        row = manifest.with_obsolete(_excluded_row(source, left, error), left.paths())
        if all(row["status"] == manifest.FAILED for row in left.finished):
            row[manifest.OBSOLETE] += self._unnamed(source)
        return row

    def _shows_excluded(self, source: Source, reason: str) -> bool:
        """Says whether a copy of the whole file, as a row with this reason has it, would show an excluded page."""
        pages = range(source.page_count if reason in screen.WHOLE_FILE else 1)
        file = keys.of_file(source.key)
        return len(pages) > 1 and any(self._exclusions.covers(keys.of_page(file, n, len(pages))) for n in pages)

    def _unnamed(self, source: Source) -> list[str]:
        """Returns what may be there of an input that has no row, or one that failed and names no copy."""
        names = formats.names(files.join("images", keys.to_path(source.key)))
        paths = [name + end for name in names for end in ("", ".exif", ".iptc", ".xmp")]
        return [path for path in paths if not files.is_folder(files.join(self._config.output, path))]


class Settle(_Step):
    """(key, sources and what earlier runs left) -> (source, Earlier) to be read, or rows or paths, told unread."""

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Any]:
        key, found = element
        sources, left = list(found["sources"]), Earlier.of(found["finished"], found["pending"], found["missing"])
        if not sources:
            yield from self._unlisted(key, left)
            return
        source = decide.settled(only_one(sources))
        try:
            row = self._current(source, left)
        except errors.DataError as error:
            yield beam.pvalue.TaggedOutput(NEW, self._refused(source, error, left))
        else:
            yield beam.pvalue.TaggedOutput(KEPT, row) if row else (source, left)

    def _unlisted(self, key: str, left: Earlier) -> Iterator[beam.pvalue.TaggedOutput]:
        """Yields the row of an input that is no longer listed, or, if it is excluded, what must not stay of it."""
        if self._exclusions.covers(key):
            yield from (beam.pvalue.TaggedOutput(OBSOLETE, path) for path in left.paths())
        elif row := left.kept():
            yield beam.pvalue.TaggedOutput(GONE, row)

    def _current(self, source: Source, left: Earlier) -> Row | None:
        """Returns the earlier row that stands, told from the listing alone, or None."""
        if self._exclusions.covers(source.key):
            raise errors.Excluded("is on the exclusion list")
        if source.failure:
            raise source.failure.to_error()
        by = write_copies.made_by(self._config, self._bundle)
        same = {"source_version": source.version, "source_bytes": source.size, **by}
        return self._kept(source, left, same) if source.version else None


class ReadScan(_Step):
    """(neighbourhood, pairs of source and Earlier) -> Scan, or a row to NEW or KEPT."""

    def setup(self) -> None:
        self._reading = prefetch.Reading()

    def teardown(self) -> None:
        self._reading.close()

    def process(self, element: tuple[str, Iterable[tuple[Source, Earlier]]]) -> Iterator[Any]:
        pairs = sorted(element[1], key=lambda pair: place(pair[0]))
        yield from itertools.starmap(self._judged, self._reading.add((pair[0], pair) for pair in pairs))

    def finish_bundle(self) -> Iterator[Any]:
        for result in itertools.starmap(self._judged, self._reading.flush()):
            if isinstance(result, beam.pvalue.TaggedOutput):
                yield beam.pvalue.TaggedOutput(result.tag, GlobalWindows.windowed_value(result.value))
            else:
                yield GlobalWindows.windowed_value(result)

    def _judged(self, item: tuple[Source, Earlier], read: Callable[[], bytes]) -> Scan | beam.pvalue.TaggedOutput:
        source, left = item
        try:
            result = self._looked_at(source, read(), left)
        except errors.DataError as error:
            result = self._refused(source, error, left)
        return beam.pvalue.TaggedOutput(NEW, result) if isinstance(result, dict) else result

    def _looked_at(self, source: Source, data: bytes, left: Earlier) -> Scan | Row | beam.pvalue.TaggedOutput:
        beam.metrics.Metrics.counter(ReadScans, "scans-read").inc()
        made_with = write_copies.made_with(hashlib.sha256(data).hexdigest(), self._config, self._bundle)
        if row := self._kept(source, left, made_with):
            return beam.pvalue.TaggedOutput(KEPT, decide.with_listing(row, source))
        bundle = self._bundle
        try:
            # On its way to other workers a file is less than its pixels.
            kept_pixels = 0 if self._config.accelerator else scans.KEPT_PIXELS
            scan = scans.read(source, data, bundle.image_size, bundle.ab_stride, self._config.decoder(), kept_pixels)
        except errors.DataError as error:
            return manifest.with_obsolete(_failed_row(source, error, **made_with), left.paths())
        scan = dataclasses.replace(scan, earlier=left)
        screened = self._screened(scan, data)
        return manifest.with_obsolete(screened, left.paths()) if screened else scan

    def _screened(self, scan: Scan, data: bytes) -> Row | None:
        """Returns the row of a scan that is not to be colorized, by what triage found, or None."""
        source, known = scan.source, write_copies.known(scan, self._config, self._bundle)
        action, reason, message = screen.decide(scan.triage, self._config)
        if action == screen.SKIP:
            return manifest.row(source, manifest.SKIPPED, reason=reason, stage="screen", message=message, **known)
        if action == screen.COPY:
            if self._shows_excluded(source, reason):
                raise errors.Excluded("cannot be copied: of the other pages of its file one is on the exclusion list")
            # All pages lie in one copy.
            key = keys.of_file(source.key) if source.page_count > 1 else source.key
            name = files.join("images", keys.to_path(key))
            if scan.earlier.paths():
                made_with = write_copies.made_with(scan.sha256, self._config, self._bundle)
                journal.note(self._config.output, [journal.begun(source.key, made_with, date="")])
            write_copies.write_file(files.join(self._config.output, name), data)
            return manifest.row(source, manifest.DONE, reason=reason, output=name, output_sha256=scan.sha256, **known)
        return None


def _excluded_row(source: Source, left: Earlier, error: errors.DataError) -> Row:
    """Says for as long as the row stands that the copy which an earlier run made was deleted."""
    notes: list[str] = next((row["notes"] for row in left.rows if row["reason"] == error.reason), [])
    deleted = sorted({row["output"] for row in left.rows if row["output"]})
    if deleted:
        notes = [f"the copy that an earlier run made, {', '.join(deleted)}, was deleted"]
    return manifest.row(
        source, manifest.SKIPPED, reason=error.reason, stage=error.stage, message=str(error), notes=notes
    )


def _failed_row(source: Source, error: errors.DataError, **values: Any) -> Row:
    """A file that is no image, and whose name does not claim that it is one, was skipped rather than lost."""
    suffix = "." + source.key.lower().rpartition(".")[2]
    if isinstance(error, errors.NotAnImage) and suffix not in decoding.IMAGE_SUFFIXES:
        return manifest.row(source, manifest.SKIPPED, reason=error.reason, stage="screen", message=str(error), **values)
    return manifest.failed(source, error, **values)
