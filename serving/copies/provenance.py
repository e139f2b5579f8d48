"""Provenance metadata of a coloured copy: the program, the model, the date, the original."""

import dataclasses
import datetime
from typing import Any

from photochrom import __version__

_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# Source: IPTC NewsCodes, Digital Source Type, the concepts that are not retired.
DIGITAL_SOURCE_TYPES = (
    "algorithmicMedia",
    "algorithmicallyEnhanced",
    "composite",
    "compositeCapture",
    "compositeSynthetic",
    "compositeWithTrainedAlgorithmicMedia",
    "computationalCapture",
    "dataDrivenMedia",
    "digitalCapture",
    "digitalCreation",
    "humanEdits",
    "multiFrameComputationalCapture",
    "negativeFilm",
    "positiveFilm",
    "print",
    "screenCapture",
    "trainedAlgorithmicMedia",
    "virtualRecording",
)
DEFAULT_SOURCE_TYPE = "compositeWithTrainedAlgorithmicMedia"

# Format, one of `picture.FORMATS` -> media type.
MEDIA_TYPES = {
    "JPEG": "image/jpeg", "PNG": "image/png", "TIFF": "image/tiff", "WEBP": "image/webp", "GIF": "image/gif",
    "BMP": "image/bmp", "PPM": "image/x-portable-anymap", "JPEG2000": "image/jp2", "AVIF": "image/avif",
    "HEIF": "image/heif", "JPEGXL": "image/jxl", "PDF": "application/pdf",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Provenance of a copy.

    Attributes:
        model_name, model_digest: of the bundle.
        source_sha256: digest of the original's bytes, hex.
        source_name: the original's file name, without folders.
        date: of its making, as in ISO 8601: a day, or a day and a time with its zone.
        digital_source_type: one of DIGITAL_SOURCE_TYPES.
    """

    model_name: str
    model_digest: str
    source_sha256: str
    source_name: str
    date: str
    digital_source_type: str = DEFAULT_SOURCE_TYPE

    @property
    def creator_tool(self) -> str:
        """Returns the program and its version."""
        return f"Photochrom {__version__}"

    @property
    def digital_source_iri(self) -> str:
        """Returns the concept of IPTC's vocabulary."""
        return _VOCABULARY + self.digital_source_type

    @property
    def ai_system(self) -> str:
        """Returns the system and the model."""
        return f"Photochrom, model {self.model_name}"

    def c2pa_manifest(self, original_format: str) -> dict[str, Any]:
        """Returns the definition of a C2PA manifest: the original, as parent, and what the model did to it.

        Source: C2PA technical specification 2.4, actions (c2pa.opened, c2pa.edited) and ingredients.
        """
        agent = {"name": "Photochrom", "version": __version__}
        original = {
            "title": self.source_name,
            "format": MEDIA_TYPES[original_format],
            "instance_id": f"sha256:{self.source_sha256}",
            "relationship": "parentOf",
            "label": "original",
            "description": f"SHA-256 of the file: {self.source_sha256}",
        }
        colored = {
            "action": "c2pa.edited",
            "digitalSourceType": self.digital_source_iri,
            "softwareAgent": agent,
            "description": "A model added colours to a black-and-white picture; its lightness is unchanged.",
            "parameters": {
                "org.photochrom.model": self.model_name,
                "org.photochrom.model_digest": self.model_digest,
            },
        }
        opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["original"]}}
        actions = {"label": "c2pa.actions.v2", "data": {"actions": [opened, colored]}}
        return {
            "claim_generator_info": [agent],
            "title": self.source_name,
            "ingredients": [original],
            "assertions": [actions],
        }


def today() -> str:
    """Returns the day, in UTC, as YYYY-MM-DD."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def check_date(date: str) -> None:
    """Checks a date as XMP takes it.

    Raises:
        ValueError: it is neither a day nor a day and time with zone.
    """
    try:
        parsed = datetime.datetime.fromisoformat(date)
    except ValueError:
        parsed = None
    is_day = parsed is not None and parsed.strftime("%Y-%m-%d") == date
    if not is_day and (parsed is None or parsed.tzinfo is None or date[10:11] != "T"):
        raise ValueError(f"--date is {date}, expected a day such as 2026-01-31 or a time such as 2026-01-31T12:00:00Z")
