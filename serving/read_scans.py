"""The first half of colorize: a source in, a scan for the model out, or the row of an input that needs no model."""

import collections
import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows

from photochrom import errors
from photochrom.imaging import decoding, unread
from photochrom.model.bundle import Bundle
from photochrom.sources import foreign, keys, member_reader, prefetch
from photochrom.sources.source import Source, only_one, place
from photochrom.storage import files
from serving import name_errors, naming, scans
from serving.config import ColorizeConfig
from serving.copies import formats
from serving.manifest import digests, layout
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import FAILED, REDONE, REJECTED, Begun, Outcome, Row
from serving.resume import decide, identity, journal
from serving.resume.decide import Decision, Earlier, Fate
from serving.scans import Candidate, Scan
from serving.screening import screen
from serving.screening.exclusion import ExclusionList
from serving.trial import estimate

# Outcomes of inputs that need no model or cannot be read; earlier rows that stand; rows of inputs that are not listed.
NEW, KEPT, DELISTED = "new", "kept", "delisted"
# Paths of copies that must not stay, without a row.
OBSOLETE = "obsolete"
# Parts of the join for each key of a group, beside missing files.
_OF_KEYS = ("sources", "finished", "pending")


@dataclasses.dataclass(frozen=True)
class Unread:
    """An input that is to be read.

    Attributes:
        source: the input.
        earlier: the results of earlier runs.
        path: of its copy, below the output folder, if that needs no suffix.
        path_of_file: the same of a copy of its whole file, with all its pages.
    """

    source: Source
    earlier: Earlier
    path: str
    path_of_file: str

    def may_name(self, row: Row) -> bool:
        """Whether an earlier row has no copy, or one under a name that this run may give it."""
        path = self.path_of_file if row.reason in screen.WHOLE_FILE else self.path
        return not row.output or row.decision == REJECTED or naming.is_name(row.output, path)


@dataclasses.dataclass
class ReadScans(beam.PTransform):
    """(group, sources and earlier results) -> `scans`: Candidates; NEW, KEPT: Outcomes; DELISTED: Rows; OBSOLETE.

    Sources to be read are grouped by location, so that neighbours in an archive are read by one request.
    """

    config: ColorizeConfig
    bundle: Bundle
    exclusions: ExclusionList
    today: str  # YYYY-MM-DD, of new copies

    def expand(self, joined: beam.PCollection) -> Any:  # Beam warns of a hint that is a dict
        settings = self.config, self.bundle, self.exclusions
        listed = joined | "ResolveFromListing" >> beam.ParDo(ResolveFromListing(*settings)).with_outputs(
            NEW, KEPT, DELISTED, OBSOLETE, main="unread"
        )
        read = (
            listed.unread
            | "KeyNeighbours" >> beam.WithKeys(lambda found: member_reader.neighbourhood(found.source))
            | "GroupNeighbours" >> beam.GroupByKey()
            | "Read" >> beam.ParDo(ReadScan(*settings, self.today)).with_outputs(NEW, KEPT, main="scans")
        )
        both = {tag: (listed[tag], read[tag]) | f"All{tag.title()}" >> beam.Flatten() for tag in (NEW, KEPT)}
        return {"scans": read.scans, DELISTED: listed[DELISTED], OBSOLETE: listed[OBSOLETE], **both}


class _Step(beam.DoFn):
    """The decision and the refusals that both steps share."""

    def __init__(self, config: ColorizeConfig, bundle: Bundle, exclusions: ExclusionList):
        self._config = config
        self._bundle = bundle
        self._exclusions = exclusions

    def _decide(
        self, earlier: Earlier, unread: Unread | None, is_same: Callable[[Row], bool], is_excluded: bool = False
    ) -> Decision:
        decision = decide.decide(
            earlier,
            lambda row: unread is not None and is_same(row) and self._may_stand(row, unread),
            self._config.retry,
            functools.partial(digests.is_whole, self._config.output),
            is_listed=unread is not None,
            is_excluded=is_excluded,
        )
        if decision.fate is Fate.KEEP:
            beam.metrics.Metrics.counter(ReadScans, "rows-kept").inc()
        return decision

    def _may_stand(self, row: Row, unread: Unread) -> bool:
        """Whether a row's copy has the name that this run would give it, and shows no excluded page."""
        return unread.may_name(row) and not self._shows_excluded(unread.source, row.reason)

    def _refused(self, unread: Unread, error: errors.DataError) -> Outcome:
        """Returns the outcome of an input that was not decoded."""
        source, earlier = unread.source, unread.earlier
        if error.reason != errors.Excluded.reason:
            return Outcome.of(_failed_row(Row.of(source), error), earlier.paths())
        outcome = Outcome.of(_excluded_row(source, earlier, error), earlier.paths())
        if all(row.status == FAILED for row in earlier.finished):
            return Outcome(outcome.row, (*outcome.obsolete, *self._unnamed(unread.path)))
        return outcome

    def _shows_excluded(self, source: Source, reason: str) -> bool:
        """Whether a copy of the whole file, which rows with some reasons have, would show an excluded page."""
        pages = range(source.page_count if reason in screen.WHOLE_FILE else 1)
        file = keys.of_file(source.key)
        return len(pages) > 1 and any(self._exclusions.covers(keys.of_page(file, n, len(pages))) for n in pages)

    def _unnamed(self, path: str) -> list[str]:
        """Returns the possible files of an input that has no row, or one that failed and names no copy."""
        ends = ("", *formats.SIDECARS)
        paths = [name + end for name in naming.names(path) for end in ends if layout.is_copy_path(name)]
        return [path for path in paths if not files.is_folder(OutputPaths(self._config.output).at(path))]


class ResolveFromListing(_Step):
    """(group, its sources and results of earlier runs) -> Unread, or an outcome, row or paths, for each key of it."""

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Any]:
        inputs = _by_key(element[1])
        paths = naming.paths(claim for one in inputs.items() for claim in self._claims(*one))
        for key, (source, earlier) in sorted(inputs.items()):
            unread = None
            if source:
                name = naming.of_whole_file(key) if source.page_count > 1 else key
                unread = Unread(source, earlier, paths[key], paths[name])
            yield from self._resolve(key, unread, earlier)

    def _claims(self, key: str, found: tuple[Source | None, Earlier]) -> Iterator[str]:
        """Yields the names by which an input claims paths: one that is listed, or is delisted and has a copy."""
        source, earlier = found
        kept = [row for row in earlier.rows if row.output and row.output not in earlier.missing]
        if source or (kept and not self._exclusions.covers(key)):
            yield key
            if (source.page_count if source else max(row.pages for row in kept)) > 1:
                yield naming.of_whole_file(key)

    def _resolve(self, key: str, unread: Unread | None, earlier: Earlier) -> Iterator[Any]:
        is_excluded = self._exclusions.covers(key)
        decision = self._decide(earlier, unread, lambda row: self._is_same(row, unread), is_excluded)
        if decision.fate is Fate.DELIST and decision.kept:
            yield TaggedOutput(DELISTED, decision.kept.row)
        elif decision.fate is Fate.EXCLUDE and not unread:
            yield from (TaggedOutput(OBSOLETE, path) for path in earlier.paths())
        elif unread:
            yield self._resolved(unread, decision)

    def _resolved(self, unread: Unread, decision: Decision) -> Any:
        failure = unread.source.failure
        if decision.fate is Fate.EXCLUDE:
            return TaggedOutput(NEW, self._refused(unread, errors.Excluded("is on the exclusion list")))
        if failure:
            return TaggedOutput(NEW, self._refused(unread, failure.to_error()))
        return TaggedOutput(KEPT, decision.kept) if decision.kept else unread

    def _is_same(self, row: Row, unread: Unread | None) -> bool:
        made_with = identity.made_with(row.source_sha256, self._config, self._bundle)
        is_same = unread is not None and decide.is_listed_same(row, unread.source)
        return is_same and decide.is_current(row, made_with, self._config.retry)


class ReadScan(_Step):
    """(neighbourhood, some Unread) -> Candidate, or an outcome to NEW or KEPT."""

    def __init__(self, config: ColorizeConfig, bundle: Bundle, exclusions: ExclusionList, today: str):
        super().__init__(config, bundle, exclusions)
        self._today = today

    def setup(self) -> None:
        self._reading = prefetch.Reading(self._config.image_timeout)

    def teardown(self) -> None:
        self._reading.close()

    def process(self, element: tuple[str, Iterable[Unread]]) -> Iterator[Any]:
        estimate.mark()
        ordered = sorted(element[1], key=lambda unread: place(unread.source))
        reads = self._reading.add((unread.source, unread) for unread in ordered)
        yield from itertools.starmap(self._process_source, reads)

    def finish_bundle(self) -> Iterator[Any]:
        for result in itertools.starmap(self._process_source, self._reading.flush()):
            if isinstance(result, TaggedOutput):
                yield TaggedOutput(result.tag, GlobalWindows.windowed_value(result.value))
            else:
                yield GlobalWindows.windowed_value(result)

    def _process_source(self, unread: Unread, read: Callable[[], bytes]) -> Candidate | TaggedOutput:
        try:
            return self._process_bytes(unread, *prefetch.timed(read))
        except errors.DataError as error:
            return TaggedOutput(NEW, self._refused(unread, error))

    def _process_bytes(self, unread: Unread, data: bytes, spent_seconds: float) -> Candidate | TaggedOutput:
        beam.metrics.Metrics.counter(ReadScans, "scans-read").inc()
        source, earlier = unread.source, unread.earlier
        made_with = identity.made_with(hashlib.sha256(data).hexdigest(), self._config, self._bundle)
        kept = self._decide(earlier, unread, lambda row: decide.is_current(row, made_with, self._config.retry)).kept
        if kept:
            return TaggedOutput(KEPT, Outcome(decide.with_listing(kept.row, source), kept.obsolete))
        try:
            scan = self._decode(source, data, spent_seconds)
        except errors.DataError as error:
            return TaggedOutput(NEW, Outcome.of(_failed_row(Row.of(source, made_with), error), earlier.paths()))
        return self._screen(scan, unread, data)

    def _decode(self, source: Source, data: bytes, spent_seconds: float) -> Scan:
        # On its way to other workers a file is smaller than its pixels.
        kept_pixels = 0 if self._config.accelerator else scans.KEPT_PIXELS
        bundle, decoder = self._bundle, self._config.decoder().after(spent_seconds)
        with foreign.recognized(data):
            return scans.read(source, data, bundle.image_size, bundle.ab_stride, decoder, kept_pixels)

    def _screen(self, scan: Scan, unread: Unread, data: bytes) -> Candidate | TaggedOutput:
        """Decides by the result of triage whether a scan is colorized, skipped or copied."""
        row, earlier = identity.known(scan, self._config, self._bundle), unread.earlier
        if self._config.retry == "rejected" and any(one.decision == REJECTED for one in earlier.rows):
            row = dataclasses.replace(row, decision=REDONE)
        action, reason, message = screen.decide(scan.triage, self._config)
        if action == screen.COLORIZE:
            date = identity.date_of(earlier, row.made_with, self._config, self._today)
            return Candidate(scan, dataclasses.replace(row, date=date), frozenset(earlier.paths()), unread.path)
        if action == screen.SKIP:
            row = row.skipped(reason, "screen", message)
        else:
            row = self._copied(row, reason, scan, unread, data)
        return TaggedOutput(NEW, Outcome.of(row, earlier.paths()))

    def _copied(self, row: Row, reason: str, scan: Scan, unread: Unread, data: bytes) -> Row:
        """Copies a file unchanged, with all its pages, and returns its row."""
        if self._shows_excluded(unread.source, reason):
            raise errors.Excluded("cannot be copied: one of the other pages of its file is on the exclusion list")
        name = naming.kept_name(unread.path_of_file, scan.format)
        if unread.earlier.paths():
            journal.note(self._config.output, [Begun.of(row)])
        with name_errors.as_data_errors(self._config.output, name):
            files.write_bytes(OutputPaths(self._config.output).at(name), data)
        return dataclasses.replace(row, reason=reason, output=name, output_sha256=row.source_sha256)


def _by_key(found: dict[str, Iterable[Any]]) -> dict[str, tuple[Source | None, Earlier]]:
    """Returns key -> source, if it is listed, and results of earlier runs, of the inputs of one group."""
    parts: dict[str, dict[str, list[Any]]] = collections.defaultdict(lambda: {name: [] for name in _OF_KEYS})
    for name in _OF_KEYS:
        for one in found[name]:
            parts[one.key][name].append(one)
    missing = frozenset(found["missing"])
    return {
        key: (decide.settled(only_one(sources)) if sources else None, Earlier.of(finished, pending, missing))
        for key, (sources, finished, pending) in ((key, one.values()) for key, one in parts.items())
    }


def _excluded_row(source: Source, earlier: Earlier, error: errors.DataError) -> Row:
    """States, for as long as the row stands, that the copy which an earlier run made was deleted."""
    notes: tuple[str, ...] = next((row.notes for row in earlier.rows if row.reason == error.reason), ())
    deleted = sorted({row.output for row in earlier.rows if row.output})
    if deleted:
        notes = (f"the copy that an earlier run made, {', '.join(deleted)}, was deleted",)
    return Row.of(source, notes=notes).skipped(error.reason, error.stage, str(error))


def _failed_row(row: Row, error: errors.DataError) -> Row:
    """A file that is no image, and whose name does not claim that it is one, was skipped rather than lost."""
    if error.reason in errors.IGNORED:
        return row.skipped(error.reason, error.stage, str(error))
    claimed = unread.by_name(keys.of_file(row.key))
    if isinstance(error, errors.NotAnImage) and claimed:
        return row.failed(unread.refusal(claimed))
    suffix = "." + row.key.lower().rpartition(".")[2]
    if isinstance(error, errors.NotAnImage) and suffix not in decoding.IMAGE_SUFFIXES:
        return row.skipped(error.reason, "screen", str(error))
    return row.failed(error)
