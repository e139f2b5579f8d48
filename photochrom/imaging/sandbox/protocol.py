"""Messages between a job and its decoder helper: a length, a JSON header, then blocks of raw bytes.

A picture is packed field by field: arrays and bytes become blocks that follow the header. The helper decodes hostile
files, so its answers are untrusted too: nothing is unpickled, and shapes and sizes are checked before memory is
allocated for them.
"""

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np

from photochrom.imaging.picture import Picture

# Parts for one call of writev or readv; every system accepts as many.
MAX_PARTS = 64
# Four bytes, big-endian, before each header.
LENGTH_BYTES = 4
MAX_HEADER_BYTES = 16 << 20
# Profiles, EXIF, XMP and other metadata of one picture.
_MAX_METADATA_BYTES = 256 << 20
# Three channels and opacity, 16 bit each.
_MAX_BYTES_PER_PIXEL = 8
_DTYPES = {"u1": np.uint8, "u2": np.uint16}

Buffer = np.ndarray | bytearray


def view(buffer: Buffer) -> memoryview:
    """Returns the bytes of a buffer, to be filled."""
    return buffer.reshape(-1).view(np.uint8).data if isinstance(buffer, np.ndarray) else memoryview(buffer)


class ProtocolError(Exception):
    """The other side sent an invalid message."""


@dataclasses.dataclass(frozen=True)
class Request:
    """A request to a helper; the file follows it.

    Attributes:
        task: "decode" or "count_pages".
        data_bytes: size of the file.
        max_pixels: the most pixels of a picture.
        timeout_seconds: for the answer.
        draft_size, page: as in decoding.decode.
    """

    task: str
    data_bytes: int
    max_pixels: int
    timeout_seconds: float
    draft_size: int = 0
    page: int = 0


def pack(value: Any) -> list[memoryview]:
    """Returns the parts of a message of JSON's types, dataclasses, bytes and arrays."""
    blocks: list[bytes | memoryview] = []
    header = json.dumps(_to_json(value, blocks)).encode()
    if len(header) > MAX_HEADER_BYTES:
        raise ProtocolError(f"a header of {len(header)} bytes, at most {MAX_HEADER_BYTES}")
    parts = (len(header).to_bytes(LENGTH_BYTES, "big") + header, *blocks)
    return [memoryview(part) for part in parts if len(part)]


def rest(parts: list[memoryview], count: int) -> list[memoryview]:
    """Returns the rest of the parts after their first `count` bytes."""
    while parts and count >= len(parts[0]):
        count -= len(parts[0])
        parts = parts[1:]
    return [parts[0][count:], *parts[1:]] if parts else []


def _to_json(value: Any, blocks: list[bytes | memoryview]) -> Any:
    if isinstance(value, np.ndarray):
        blocks.append(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        return {"$array": [f"{value.dtype.kind}{value.dtype.itemsize}", *value.shape]}
    if isinstance(value, bytes):
        blocks.append(value)
        return {"$bytes": len(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _to_json(getattr(value, field.name), blocks) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _to_json(one, blocks) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(one, blocks) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def parse(header: bytes | bytearray) -> dict[str, Any]:
    """Returns the tree of a header.

    Raises:
        ProtocolError: it is no JSON object.
    """
    try:
        tree = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a header that is no JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ProtocolError("a header that is no object")
    return tree


def allocate(tree: dict[str, Any], max_pixels: int) -> tuple[dict[str, Any], list[Buffer]]:
    """Returns the tree with empty buffers in place of its blocks, and the buffers in the order of the blocks.

    Raises:
        ProtocolError: a shape, a dtype or a size that no picture of at most max_pixels has; nothing was allocated.
    """
    arrays = metadata = 0
    for kind, size in _sizes(tree, max_pixels):
        arrays += size if kind == "$array" else 0
        metadata += size if kind == "$bytes" else 0
    if arrays > _MAX_BYTES_PER_PIXEL * max_pixels or metadata > _MAX_METADATA_BYTES:
        raise ProtocolError(f"blocks of {arrays} and {metadata} bytes for a picture of at most {max_pixels} px")
    buffers: list[Buffer] = []
    return _with_buffers(tree, buffers), buffers


def _sizes(tree: Any, max_pixels: int) -> Iterator[tuple[str, int]]:
    """Yields kind and size of each block, checked."""
    if isinstance(tree, list):
        for one in tree:
            yield from _sizes(one, max_pixels)
    elif isinstance(tree, dict):
        if "$array" in tree:
            yield "$array", _array_bytes(tree["$array"], max_pixels)
        elif "$bytes" in tree:
            yield "$bytes", _whole(tree["$bytes"])
        else:
            yield from _sizes(list(tree.values()), max_pixels)


def _array_bytes(layout: Any, max_pixels: int) -> int:
    if not isinstance(layout, list) or len(layout) not in (3, 4) or layout[0] not in _DTYPES:
        raise ProtocolError(f"an array {layout!r:.100}, expected dtype, height, width and perhaps 3")
    height, width, *channels = (_whole(side) for side in layout[1:])
    if not 1 <= height * width <= max_pixels or channels not in ([], [3]):
        raise ProtocolError(f"an array {layout!r:.100} for a picture of at most {max_pixels} px")
    return math.prod((height, width, *channels)) * np.dtype(_DTYPES[layout[0]]).itemsize


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ProtocolError(f"a size of {value!r:.100}")
    return value


def _with_buffers(tree: Any, buffers: list[Buffer]) -> Any:
    if isinstance(tree, list):
        return [_with_buffers(one, buffers) for one in tree]
    if not isinstance(tree, dict):
        return tree
    if "$array" in tree:
        dtype, *shape = tree["$array"]
        buffers.append(np.empty(shape, _DTYPES[dtype]))
        return buffers[-1]
    if "$bytes" in tree:
        buffers.append(bytearray(tree["$bytes"]))
        return buffers[-1]
    return {name: _with_buffers(one, buffers) for name, one in tree.items()}


def to_picture(values: Any) -> Picture:
    """Returns the picture of an answer whose buffers are filled.

    Raises:
        ProtocolError: a field is missing, unknown or of another type than in Picture, or two do not fit.
    """
    picture: Picture = _build(Picture, values)
    alpha = picture.alpha
    if alpha is not None and (alpha.shape != picture.pixels.shape[:2] or alpha.dtype != picture.pixels.dtype):
        raise ProtocolError(f"opacity of {alpha.shape}, {alpha.dtype} for pixels of {picture.pixels.shape}")
    return picture


def _build(cls: Any, values: Any) -> Any:
    if not isinstance(values, dict):
        raise ProtocolError(f"{values!r:.100} for a {cls.__name__}")
    hints = _hints(cls)
    if set(values) != set(hints):
        raise ProtocolError(f"fields {sorted(values)!r:.200} for a {cls.__name__}")
    return cls(**{name: _value(value, hints[name]) for name, value in values.items()})


@functools.lru_cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _value(value: Any, hint: Any) -> Any:
    """Converts a value of JSON, or a buffer, to the type of a field."""
    if isinstance(hint, types.UnionType):  # T | None
        present = next(one for one in typing.get_args(hint) if one is not type(None))
        return None if value is None else _value(value, present)
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        return _tuple(value, typing.get_args(hint))
    if dataclasses.is_dataclass(hint):
        return _build(hint, value)
    if (hint, type(value)) in ((bytes, bytearray), (float, int)):
        return hint(value)
    if not isinstance(hint, type) or not isinstance(value, hint):
        raise ProtocolError(f"{value!r:.100} for a {hint}")
    return value


def _tuple(values: list[Any], hints: tuple[Any, ...]) -> tuple[Any, ...]:
    each = (hints[0],) * len(values) if hints[-1] is Ellipsis else hints
    if len(each) != len(values):
        raise ProtocolError(f"{values!r:.100} for {hints}")
    return tuple(_value(value, hint) for value, hint in zip(values, each, strict=True))
