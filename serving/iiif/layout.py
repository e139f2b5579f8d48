"""The layout of a publication below OUT/publish, and its URLs: the names of its folders and files stand here only.

collection.json names collections/*.json, one for each folder of the archive, which name manifests/*.json, one for each
item. images/3f/3f...[-2]/ is an image service, of the picture with that SHA-256 (of its page, counted from 0, in a
file of several). items.csv has a line for each item. All names are digests: no name of the archive is part of a path or
of a URL.
"""

import hashlib
import re
from typing import ClassVar

from photochrom.storage import files
from serving.manifest import layout
from serving.manifest.web_folder import WebFolder

COLLECTION, TABLE = "collection.json", "items.csv"
MANIFESTS, COLLECTIONS, IMAGES = "manifests", "collections", "images"
# Files of one image service, below its folder.
INFO, FULL = "info.json", "full/max/0/default.jpg"
_DIGITS = 32  # of a digest in a name: 128 bits
_IMAGE = re.compile(r"images/([0-9a-f]{2})/\1[0-9a-f]{62}(?:-\d{1,5})?(?=/)")
_DOCUMENT = re.compile(r"(?:manifests|collections)/([0-9a-f]{2})/\1[0-9a-f]{30}\.json")


def image(sha256: str, page: int = 0) -> str:
    """Returns the path below OUT/publish of the image service of a picture, by the digest of its file."""
    return f"{IMAGES}/{sha256[:2]}/{sha256}{f'-{page}' if page else ''}"


def document(folder: str, name: str) -> str:
    """Returns the path below OUT/publish of the manifest of a key, or of the collection of a folder of the archive."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    return f"{folder}/{digest[:2]}/{digest}.json"


def unit(path: str) -> str:
    """Returns the image service or the document that a file below OUT/publish is part of; "" if it is of neither."""
    found = _IMAGE.match(path) or _DOCUMENT.fullmatch(path)
    return found[0] if found else ""


class PublishPaths(WebFolder):
    """Paths of the publication of one output folder, OUT/publish."""

    NAME = layout.PUBLISH
    CONTENT_TYPES: ClassVar = {"json": "application/json", "jpg": "image/jpeg", "csv": "text/csv; charset=utf-8"}

    @property
    def spool(self) -> str:
        """Folder of the unpacked members of compressed tars."""
        return files.join(self.scratch, "spool")
