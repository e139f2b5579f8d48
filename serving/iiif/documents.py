"""The documents of a publication: manifests, collections and the table, as pure functions of their items.

Source: IIIF Presentation API 3.0. A manifest has three canvases: the scan and its coloured copy side by side, then each
of them alone.
"""

import csv
import dataclasses
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from photochrom.storage import names
from serving.iiif import layout, tiles
from serving.iiif.tiles import Size
from serving.manifest.rows import Row

_CONTEXT = "http://iiif.io/api/presentation/3/context.json"
# Licences that stand in `rights`, which is for machines: the URIs that section 3.2 of the specification names.
_RIGHTS = re.compile(
    r"https?://(creativecommons\.org/(?:licenses|publicdomain)|rightsstatements\.org/vocab)/([\w./+-]+)"
)
# Between the two pictures, as a share of the width of one.
_GAP = 50
SIDE_BY_SIDE = "Left: scan. Right: coloured by software"
SCAN = "Scan (the original)"
COPY = "Coloured by software"
_COLUMNS = ("key", "copy", "copy_sha256", "scan_sha256", "decision", "licence", "credit", "manifest", "problem")

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Terms:
    """Statements that all documents of a publication share.

    Attributes:
        base_url: URL of OUT/publish, without a slash at its end.
        title: of the collection.
        licence: a URL, or a text.
        credit: to be shown with the pictures.
    """

    base_url: str
    title: str
    licence: str = ""
    credit: str = ""

    def url(self, name: str) -> str:
        """Returns the URL of a file or a service that is named relative to OUT/publish."""
        return f"{self.base_url}/{name}"

    @property
    def rights(self) -> Json:
        """The property `rights`, if the licence is one that it can state."""
        found = _RIGHTS.fullmatch(self.licence)
        return {"rights": f"http://{found[1]}/{found[2]}"} if found else {}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A published picture: the path below OUT/publish of its image service, and its size."""

    service: str
    size: Size


@dataclasses.dataclass(frozen=True)
class Item:
    """An item of the publication.

    Attributes:
        row: of the run.
        model: name of the model that coloured the copy.
        scan, copy: the two pictures; None if there is a problem.
        problem: why it is not published, or "".
    """

    row: Row
    model: str
    scan: Picture | None = None
    copy: Picture | None = None
    problem: str = ""

    @property
    def folder(self) -> str:
        """The folder of the archive, or the archive within it, that has the scan."""
        return self.row.key.rpartition("/")[0]

    @property
    def label(self) -> str:
        """The name of the scan."""
        return self.row.key.rpartition("/")[2]

    @property
    def manifest(self) -> str:
        """Path of its manifest below OUT/publish."""
        return layout.document(layout.MANIFESTS, self.row.key)


def encode(document: Json) -> bytes:
    """Returns a document as a file: the same document gives the same bytes."""
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def manifest(item: Item, terms: Terms) -> Json:
    """Returns the manifest of an item that has both pictures."""
    assert item.scan and item.copy
    url, (pairs, scan, copy) = terms.url(item.manifest), _placed(item.scan, item.copy)
    return {
        "@context": _CONTEXT,
        "id": url,
        "type": "Manifest",
        "label": {"none": [item.label]},
        "metadata": [_pair(name, value) for name, value in _facts(item, terms) if value],
        "requiredStatement": _pair("Attribution", *filter(None, (terms.credit, _statement(item)))),
        **terms.rights,
        "thumbnail": [_thumbnail(item.copy, terms)],
        "items": [
            _canvas(f"{url}/canvas/1", SIDE_BY_SIDE, pairs, terms),
            _canvas(f"{url}/canvas/2", SCAN, scan, terms),
            _canvas(f"{url}/canvas/3", COPY, copy, terms),
        ],
    }


def collection(name: str, label: Json, members: Iterable[Json], terms: Terms) -> Json:
    """Returns a collection.

    Args:
        name: its path below OUT/publish.
        label: its label, text by language.
        members: what `reference` returns.
        terms: of the publication.
    """
    more = {"requiredStatement": _pair("Attribution", terms.credit)} if terms.credit else {}
    return {
        "@context": _CONTEXT,
        "id": terms.url(name),
        "type": "Collection",
        "label": label,
        **more,
        **terms.rights,
        "items": list(members),
    }


def item_reference(item: Item, terms: Terms) -> Json:
    """Returns an item as its collection lists it."""
    assert item.copy
    label = {"none": [item.label]}
    more = {"thumbnail": [_thumbnail(item.copy, terms)]}
    return {"id": terms.url(item.manifest), "type": "Manifest", "label": label, **more}


def collection_reference(folder: str, terms: Terms) -> Json:
    """Returns the collection of a folder of the archive as the top collection lists it."""
    name = layout.document(layout.COLLECTIONS, folder)
    return {"id": terms.url(name), "type": "Collection", "label": folder_label(folder)}


def folder_label(folder: str) -> Json:
    """Returns the label of the collection of a folder."""
    return {"none": [folder]} if folder else {"en": ["(no folder)"]}


def table(items: Sequence[Item], terms: Terms) -> bytes:
    """Returns the CSV of all items, UTF-8, sorted by key."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for item in sorted(items, key=lambda one: one.row.key):
        row, url = item.row, "" if item.problem else terms.url(item.manifest)
        cells = (row.key, row.output, row.output_sha256, row.source_sha256, row.decision)
        writer.writerow(map(names.inert, (*cells, terms.licence, terms.credit, url, item.problem)))
    return text.getvalue().encode()


def _statement(item: Item) -> str:
    return (
        f"The coloured picture was made from the scan by software (Photochrom, model {item.model}). Its colours are an "
        "estimate, not a record of the colours of the scene."
    )


def _facts(item: Item, terms: Terms) -> list[tuple[str, str]]:
    row = item.row
    return [
        ("Scan", row.key),
        ("SHA-256 of the scan", row.source_sha256),
        ("SHA-256 of the coloured copy", row.output_sha256),
        ("Coloured by", f"Photochrom, model {item.model}, {row.model_digest}, {row.date}"),
        ("Confidence of the model", f"{row.confidence:.3f}"),
        ("Decision of a reviewer", row.decision or "none"),
        ("Licence", terms.licence),
    ]


def _pair(label: str, *values: str) -> Json:
    return {"label": {"en": [label]}, "value": {"none": [_escaped(value) for value in values]}}


def _escaped(text: str) -> str:
    """Returns text for a value that viewers show as HTML (section 4.5): where it has markup, that is escaped."""
    return text if text == html.escape(text, quote=False) else f"<span>{html.escape(text)}</span>"


Painted = tuple[Size, list[tuple[Picture, str]]]


def _placed(scan: Picture, copy: Picture) -> tuple[Painted, Painted, Painted]:
    """Returns the three canvases: their sizes, and the pictures on them with their places."""
    (height, width), (copy_height, copy_width) = scan.size, copy.size
    left = width + max(1, width // _GAP)
    both = max(height, copy_height), left + copy_width
    places = f"#xywh=0,0,{width},{height}", f"#xywh={left},0,{copy_width},{copy_height}"
    return (both, [*zip((scan, copy), places, strict=True)]), (scan.size, [(scan, "")]), (copy.size, [(copy, "")])


def _canvas(url: str, label: str, painted: Painted, terms: Terms) -> Json:
    (height, width), pictures = painted
    annotations = [
        {
            "id": f"{url}/painting/{number}",
            "type": "Annotation",
            "motivation": "painting",
            "body": _image(picture, terms),
            "target": f"{url}{place}",
        }
        for number, (picture, place) in enumerate(pictures, start=1)
    ]
    page = {"id": f"{url}/page", "type": "AnnotationPage", "items": annotations}
    return {
        "id": url,
        "type": "Canvas",
        "label": {"en": [label]},
        "height": height,
        "width": width,
        "thumbnail": [_thumbnail(pictures[-1][0], terms)],
        "items": [page],
    }


def _image(picture: Picture, terms: Terms) -> Json:
    service = {"id": terms.url(picture.service), "type": "ImageService3", "profile": "level0"}
    more = {"service": [service]} if tiles.is_large(picture.size) else {}
    return {**_file(picture, layout.FULL, picture.size, terms), **more}


def _thumbnail(picture: Picture, terms: Terms) -> Json:
    return _file(picture, *tiles.thumbnail(picture.size), terms)


def _file(picture: Picture, name: str, size: Size, terms: Terms) -> Json:
    height, width = size
    url = terms.url(f"{picture.service}/{name}")
    return {"id": url, "type": "Image", "format": "image/jpeg", "height": height, "width": width}
