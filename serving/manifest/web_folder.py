"""A folder within an output folder that a web server or a bucket shows, such as the review page."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from photochrom.storage import files

_SCRATCH = ".scratch"


@dataclasses.dataclass(frozen=True)
class WebFolder:
    """Paths of such a folder of one output folder; subclasses state its name and what it holds.

    Attributes:
        output: the output folder.
        NAME: of the folder, below the output folder.
        CONTENT_TYPES: suffix of a file -> type of its object in a bucket: with another one, browsers would save it
            instead of showing it.
    """

    output: str
    NAME: ClassVar[str]
    CONTENT_TYPES: ClassVar[Mapping[str, str]]

    @property
    def folder(self) -> str:
        """The folder."""
        return files.join(self.output, self.NAME)

    def at(self, name: str) -> str:
        """Returns the path of a file that is named relative to the folder."""
        return files.join(self.folder, name)

    def write(self, name: str, data: bytes) -> None:
        """Writes a file of the folder."""
        files.write_typed(self.at(name), data, self.CONTENT_TYPES[name.rpartition(".")[2]])

    @property
    def scratch(self) -> str:
        """Folder of a command under way that makes it."""
        return self.at(_SCRATCH)

    @property
    def progress(self) -> str:
        """Folder of the workers' counts."""
        return files.join(self.scratch, "progress")
