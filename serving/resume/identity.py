"""The identity of a copy: the scan, model and settings that decide its bytes, and the date that it states."""

from photochrom.model.bundle import Bundle
from serving.config import ColorizeConfig
from serving.manifest.rows import MadeWith, Row
from serving.resume.decide import Earlier
from serving.scans import Scan


def made_with(source_sha256: str, config: ColorizeConfig, bundle: Bundle) -> MadeWith:
    """Returns the digests that decide the bytes of a copy."""
    return MadeWith(source_sha256, bundle.digest, config.output_digest())


def date_of(earlier: Earlier, made_with: MadeWith, config: ColorizeConfig, today: str) -> str:
    """Returns the date of a new copy: the requested one, else that of an earlier copy of the same, else today."""
    same = (row.date for row in earlier.rows if row.made_with == made_with)
    return config.date or next(filter(None, same), today)


def known(scan: Scan, config: ColorizeConfig, bundle: Bundle) -> Row:
    """Returns the row of a decoded scan, as far as it is known before a copy is written."""
    tone = scan.triage.tone
    return Row.of(
        scan.source,
        made_with(scan.sha256, config, bundle),
        kind=scan.triage.kind,
        chroma=tone.chroma,
        spread=tone.spread,
    )
