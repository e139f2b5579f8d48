"""Makes the items of a publication: the pictures of a row, once, and its manifest."""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping

import numpy as np

from photochrom import errors
from photochrom.imaging.picture import Picture as Decoded
from photochrom.imaging.picture import to_uint8
from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.sources import member_reader
from photochrom.sources.source import Source
from photochrom.storage import files
from photochrom.storage.names import printable
from serving.iiif import documents, layout, scans, tiles
from serving.iiif.documents import Item, Picture, Terms
from serving.iiif.layout import PublishPaths
from serving.manifest import digests
from serving.manifest.rows import ACCEPTED, DONE, REJECTED, Row

_SHA256 = re.compile("[0-9a-f]{64}")
_CHANGED = "was changed since it was coloured; run the same `photochrom colorize` command again"


def is_wanted(row: Row, accepted_only: bool) -> bool:
    """Whether a row has a coloured copy that is to be published: none that is the scan itself, or that was rejected."""
    is_coloured = row.status == DONE and bool(row.output) and not row.reason
    return is_coloured and (row.decision == ACCEPTED if accepted_only else row.decision != REJECTED)


@dataclasses.dataclass(frozen=True)
class Maker:
    """Makes items.

    Attributes:
        output: the output folder.
        terms: of the publication.
        models: number of a run -> name of its model.
        decoder: decodes scans and copies.
        count: is called for each picture that is made.
    """

    output: str
    terms: Terms
    models: Mapping[int, str]
    decoder: Decoder
    count: Callable[[], None]

    def has_scan(self, row: Row) -> bool:
        """Whether the scan of a row was published before, so that it need not be read."""
        return bool(_SHA256.fullmatch(row.source_sha256)) and self._known(self._service_of_scan(row)) is not None

    def make(self, row: Row, source: Source | None) -> Item:
        """Makes the missing pictures of a row, and its manifest; an item with a problem if that is impossible.

        Args:
            row: of the run.
            source: the place of its scan; None if `has_scan`.
        """
        item = Item(row, self.models.get(row.run, "unknown"))
        name = "scan"
        try:
            scan, name = self._scan(row, source), "copy"
            item = dataclasses.replace(item, scan=scan, copy=self._copy(row))
        except errors.DataError as error:
            return dataclasses.replace(item, problem=f"the {name} {printable(str(error))}")
        PublishPaths(self.output).write(item.manifest, documents.encode(documents.manifest(item, self.terms)))
        return item

    def _scan(self, row: Row, source: Source | None) -> Picture:
        if not _SHA256.fullmatch(row.source_sha256):
            raise errors.ReadError("has no SHA-256 in its row")

        def read() -> tuple[bytes, int]:
            assert source
            if source.failure:
                raise source.failure.to_error()
            data = member_reader.read(source, self.decoder.timeout_seconds)
            _check(data, row.source_sha256, _CHANGED)
            return data, source.page

        return self._picture(self._service_of_scan(row), read, with_xmp=False)

    def _copy(self, row: Row) -> Picture:
        def read() -> tuple[bytes, int]:
            problem = digests.problem_of_file(self.output, row.output)
            if problem:
                raise errors.ReadError(problem)
            try:
                data = files.read_bytes(files.join(self.output, row.output))
            except OSError as error:
                raise errors.ReadError(f"cannot be read: {printable(str(error))[:200]}") from error
            _check(data, row.output_sha256, "was changed since its row was written")
            return data, 0

        return self._picture(layout.image(row.output_sha256), read, with_xmp=True)

    def _picture(self, service: str, read: Callable[[], tuple[bytes, int]], with_xmp: bool) -> Picture:
        size = self._known(service)
        if size is None:
            data, page = read()
            decoded = self.decoder.decode(data, page=page)
            xmp = decoded.metadata.xmp if with_xmp else b""
            size = tiles.write(PublishPaths(self.output), service, self.terms.url(service), _pixels(decoded), xmp)
            self.count()
        return Picture(service, size)

    def _known(self, service: str) -> tiles.Size | None:
        return tiles.known(PublishPaths(self.output), service, self.terms.url(service))

    def _service_of_scan(self, row: Row) -> str:
        return layout.image(row.source_sha256, scans.page(row))


def _check(data: bytes, sha256: str, message: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise errors.ReadError(message)


def _pixels(decoded: Decoded) -> np.ndarray:
    """Returns uint8 pixels as a JPEG holds them: gray ones stay gray."""
    is_gray = decoded.pixels.ndim == 2 and decoded.alpha is None
    return to_uint8(decoded.pixels) if is_gray else decoded.opaque_rgb()
