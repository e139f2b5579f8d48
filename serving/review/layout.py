"""The layout of a review page below OUT/review: the names of its folders and files stand here only.

index.html and assets/ are the same in every review. data/ has index.js, which names the other data files; these have a
digest of their content in their names, so that a browser never combines those of two versions. thumbs/3f/3f...-123.webp
is the thumbnail of a copy: its name has the copy's SHA-256, the mean chroma of the copy in tenths of a CIE unit, and a
`v` if views/3f/3f....webp exists, a larger picture of a copy that browsers cannot show. So one listing of thumbs/ has
all that is known about the copies of earlier reviews.
"""

import dataclasses
import re
from typing import ClassVar

from serving.manifest import layout
from serving.manifest.web_folder import WebFolder

PAGE, INDEX = "index.html", "data/index.js"
ASSETS, DATA, THUMBS, VIEWS = "assets", "data", "thumbs", "views"
_THUMBNAIL = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})-([0-9]{1,4})(v?)\.webp")


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    """The thumbnail of a copy.

    Attributes:
        sha256: digest of the copy.
        chroma: mean C*ab of the copy, tenths of a CIE unit.
        has_view: whether there is a larger picture beside it, for a copy that browsers cannot show.
    """

    sha256: str
    chroma: int
    has_view: bool

    @property
    def path(self) -> str:
        """Path below OUT/review."""
        mark = "v" if self.has_view else ""
        return f"{THUMBS}/{self.sha256[:2]}/{self.sha256}-{self.chroma}{mark}.webp"

    @property
    def paths(self) -> list[str]:
        """Paths below OUT/review of all its files, the thumbnail last."""
        return [*([view_path(self.sha256)] if self.has_view else []), self.path]

    @classmethod
    def parse(cls, name: str) -> "Thumbnail | None":
        """Returns the thumbnail that a path below thumbs/ names; None if it is none."""
        found = _THUMBNAIL.fullmatch(name)
        return cls(found[2], int(found[3]), bool(found[4])) if found else None


def view_path(sha256: str) -> str:
    """Returns the path below OUT/review of the larger picture of a copy."""
    return f"{VIEWS}/{sha256[:2]}/{sha256}.webp"


class ReviewPaths(WebFolder):
    """Paths of the review page of one output folder, OUT/review."""

    NAME = layout.REVIEW
    CONTENT_TYPES: ClassVar = {
        "html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml",
        "webp": "image/webp",
    }  # fmt: skip
