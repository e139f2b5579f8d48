"""Rows of the manifest as PREMIS 3.0: an event for each row, an object for each coloured copy, an agent for each maker.

Source: PREMIS Data Dictionary 3.0 and its schema premis-v3-0.xsd; the terms with a URI are from the Library of
Congress's preservation vocabularies (id.loc.gov/vocabulary/preservation). Each object, event and agent is a line.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import IO
from xml.etree import ElementTree

from photochrom.storage.names import printable
from serving.manifest.rows import DONE, FAILED, SKIPPED, Row, Run

Element = ElementTree.Element
# Namespace of the UUIDs of events; never changes.
_NAMESPACE = uuid.UUID("3a6dfcb5-066a-44ae-ac1f-43ac48bef554")
_VOCABULARY = "http://id.loc.gov/vocabulary/preservation/"
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<premis:premis xmlns:premis="http://www.loc.gov/premis/v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.loc.gov/premis/v3 https://www.loc.gov/standards/premis/v3/premis-v3-0.xsd" version="3.0">
"""
_OUTCOMES = {DONE: ("success", "eventOutcome/suc"), FAILED: ("fail", "eventOutcome/fai"), SKIPPED: ("skipped", "")}
# Reasons of rows whose copy is the original, byte for byte, and why.
_COPIED = {
    "copied": "copied unchanged: it has colours already",
    "toned_kept": "copied unchanged: it is toned",
}
_SHA256, _PATH, _KEY, _LOCAL = "SHA-256", "path in the bag", "key", "local"


def write(file: IO[bytes], listing: Element, read_rows: Callable[[], Iterable[Row]], runs: Mapping[int, Run]) -> None:
    """Writes a PREMIS document of rows; memory does not grow with them.

    Args:
        file: where to.
        listing: the object of the file that the rows are from; a document has to have an object.
        read_rows: gives the rows, twice.
        runs: number -> run.
    """
    file.write(_HEAD.encode())
    _write_line(file, listing)
    for row in read_rows():
        if row.output:
            _write_line(file, copy_object(row))
    used = set()
    for row in read_rows():
        _write_line(file, event(row, runs[row.run]))
        used.add((runs[row.run].version, _model_digest(row)))
    names = {run.model_digest: run.model_name for run in runs.values()}
    for version in sorted({version for version, _ in used}):
        _write_line(file, _software(version))
    for digest in sorted({digest for _, digest in used if digest}):
        _write_line(file, _model(digest, names.get(digest, "")))
    file.write(b"</premis:premis>\n")


def event_identifier(row: Row) -> str:
    """Returns the UUID of a row's event: the same for the same input, makers and outcome."""
    names = ("key", "source_sha256", "model_digest", "settings_digest", "status", "reason", "output_sha256")
    return str(uuid.uuid5(_NAMESPACE, "\0".join(getattr(row, name) for name in names)))


def event(row: Row, run: Run) -> Element:
    """Returns the event of an input: it ends with the run, `run`, that first left the row unchanged."""
    term, code = _OUTCOMES[row.status]
    said = [": ".join(filter(None, (row.stage, row.reason, row.message))), *row.notes]
    return _element(
        "event",
        _identifier("event", "UUID", event_identifier(row)),
        _term("eventType", "replication", "eventType/rep") if _is_copied(row)
        else _term("eventType", "creation", "eventType/cre"),
        _text("eventDateTime", run.finished),
        _element("eventDetailInformation", _text("eventDetail", _detail(row))),
        _element(
            "eventOutcomeInformation",
            _term("eventOutcome", term, code),
            *(_element("eventOutcomeDetail", _text("eventOutcomeDetailNote", text)) for text in said if text),
        ),
        *_makers(row, run),
        *_objects(row),
    )  # fmt: skip


def copy_object(row: Row) -> Element:
    """Returns a coloured copy: its path, digest and format, its source and its event."""
    return _file_object(
        f"data/{row.output}",
        row.output_sha256,
        row.format or "unknown",
        _text("originalName", row.key),
        _element(
            "relationship",
            _term("relationshipType", "derivation", "relationshipType/der"),
            _text("relationshipSubType", "has source"),
            _identifier("relatedObject", _SHA256, row.source_sha256),
            _identifier("relatedEvent", "UUID", event_identifier(row)),
        ),
    )


def listing_object(path: str, sha256: str) -> Element:
    """Returns a file of rows, from which a document's events were made."""
    return _file_object(path, sha256, "JSON lines")


def _file_object(path: str, sha256: str, format: str, *more: Element) -> Element:
    fixity = _element("fixity", _text("messageDigestAlgorithm", _SHA256), _text("messageDigest", sha256))
    format_element = _element("format", _element("formatDesignation", _text("formatName", format)))
    found = _element(
        "object", _identifier("object", _PATH, path), _element("objectCharacteristics", fixity, format_element), *more
    )
    found.set("xsi:type", "premis:file")
    return found


def _is_copied(row: Row) -> bool:
    return row.reason in _COPIED


def _model_digest(row: Row) -> str:
    """Returns the digest of the model that was asked, or "" where none was."""
    was_asked = row.status != SKIPPED or row.reason == "uncolored"
    return row.model_digest if was_asked and not _is_copied(row) else ""


def _detail(row: Row) -> str:
    did = _COPIED.get(row.reason, "colorization")
    settings = f"; settings {row.settings_digest}" if row.settings_digest else ""
    confidence = f"; confidence {row.confidence:g} of 1" if row.confidence else ""
    return f"{did}; key {row.key}{settings}{confidence}; run {row.run}"


def _makers(row: Row, run: Run) -> list[Element]:
    software = _identifier("linkingAgent", _LOCAL, f"photochrom {run.version}")
    software.append(_term("linkingAgentRole", "executing program", "eventRelatedAgentRole/exe"))
    digest = _model_digest(row)
    if not digest:
        return [software]
    model = _identifier("linkingAgent", _LOCAL, digest)
    model.append(_text("linkingAgentRole", "model"))
    return [software, model]


def _objects(row: Row) -> list[Element]:
    source = (_SHA256, row.source_sha256) if row.source_sha256 else (_KEY, row.key)
    found = [_linked_object(*source, "source", "sou")]
    if row.output:
        found.append(_linked_object(_PATH, f"data/{row.output}", "outcome", "out"))
        found.append(_linked_object(_SHA256, row.output_sha256, "outcome", "out"))
    return found


def _linked_object(type: str, value: str, role: str, code: str) -> Element:
    found = _identifier("linkingObject", type, value)
    found.append(_term("linkingObjectRole", role, f"eventRelatedObjectRole/{code}"))
    return found


def _software(version: str) -> Element:
    return _element(
        "agent",
        _identifier("agent", _LOCAL, f"photochrom {version}"),
        _text("agentName", "Photochrom"),
        _term("agentType", "software", "agentType/sof"),
        _text("agentVersion", version),
    )


def _model(digest: str, name: str) -> Element:
    return _element(
        "agent",
        _identifier("agent", _LOCAL, digest),
        _text("agentName", f"model {name}".strip()),
        _term("agentType", "software", "agentType/sof"),
        _text("agentNote", "a trained model; the identifier is the digest over its files"),
    )


def _write_line(file: IO[bytes], element: Element) -> None:
    file.write(ElementTree.tostring(element, encoding="utf-8", xml_declaration=False) + b"\n")


def _element(name: str, *children: Element) -> Element:
    found = Element(f"premis:{name}")
    found.extend(children)
    return found


def _text(name: str, text: str) -> Element:
    """Returns an element with text in it; characters that XML cannot hold are escaped."""
    found = _element(name)
    found.text = printable(text)
    return found


def _term(name: str, term: str, code: str) -> Element:
    """Returns an element with a term of a vocabulary of the Library of Congress, or of none."""
    found = _text(name, term)
    if code:
        found.set("valueURI", _VOCABULARY + code)
    return found


def _identifier(of: str, type: str, value: str) -> Element:
    return _element(f"{of}Identifier", _text(f"{of}IdentifierType", type), _text(f"{of}IdentifierValue", value))
