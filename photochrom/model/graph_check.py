"""Checks a SavedModel before TensorFlow loads it: its files, its size, and the operations of all its graphs.

TensorFlow runs parts of a SavedModel while it loads it, and the rest when it is called; an operation may read and write
any file. So saved_model.pb is parsed here, without TensorFlow, by the few fields that name operations and functions.

Not checked: the results of the allowed operations, and the time and memory that they take.
"""

import functools
import os
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from photochrom import errors
from photochrom.model import allowed_operations

_GRAPH = "saved_model.pb"
# The graph of EfficientNetV2L, the largest of keras.applications, has 1.7 MB, and a SavedModel up to four copies of it.
MAX_BYTES = 32 << 20
# TensorFlow would read more than these where it finds it: debug/, and saved_model.pbtxt without a saved_model.pb.
_FILES = re.compile(r"saved_model\.pb|fingerprint\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})")
_MAIN = "the main graph"
# Message -> field -> number and type; * for a repeated field. A map is a repeated pair of key and value.
# Source: tensorflow/core/protobuf/{saved_model,meta_graph,saver,saved_object_graph}.proto and
# tensorflow/core/framework/{graph,function,op_def,node_def,attr_value}.proto
_SCHEMA = {
    "SavedModel": {"meta_graphs": (2, "MetaGraph*")},
    "MetaGraph": {"graph": (2, "Graph"), "saver": (3, "Saver"), "objects": (7, "Objects")},
    "Saver": {"save_tensor_name": (2, "string"), "restore_op_name": (3, "string")},
    "Objects": {"functions": (2, "Named*")},
    "Graph": {"nodes": (1, "Node*"), "library": (2, "Library")},
    "Library": {"functions": (1, "Function*"), "gradients": (2, "Gradient*"), "registered_gradients": (3, "Named*")},
    "Gradient": {"function": (2, "string")},
    "Function": {"signature": (1, "Named"), "nodes": (3, "Node*")},
    "Node": {"name": (1, "string"), "op": (2, "string"), "attributes": (5, "Attribute*")},
    "Attribute": {"value": (2, "Value")},
    "Value": {"list": (1, "Values"), "function": (10, "Call")},
    "Values": {"functions": (9, "Call*")},
    "Call": {"name": (1, "string"), "attributes": (2, "Attribute*")},
    "Named": {"name": (1, "string")},
}


def check(folder: str | pathlib.Path, shown: str) -> None:
    """Checks a SavedModel on this machine.

    Args:
        folder: of the SavedModel.
        shown: its path for messages.

    Raises:
        UsageError: it has an operation that is not allowed or a file that TensorFlow does not write, or is damaged.
    """
    _check_files(pathlib.Path(folder), shown)
    model = _parse(pathlib.Path(folder, _GRAPH), shown)
    if len(model.meta_graphs) != 1 or not model.meta_graphs[0].HasField("objects"):
        raise errors.UsageError(f"{shown} is no SavedModel of TensorFlow 2 with one graph; export the model again")
    for function, operation in _refused(model.meta_graphs[0]):
        raise errors.UsageError(
            f"{shown} has the operation {operation[:100]} (in {function[:100]}), which is not among those that only "
            "compute: it may read or write files, or run code; expected a model that Photochrom exported"
        )


def _check_files(folder: pathlib.Path, shown: str) -> None:
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if pathlib.Path(parent, name).is_symlink()]
        for path in (pathlib.Path(parent, name) for name in sorted([*names, *links])):
            relative = path.relative_to(folder).as_posix()
            if not path.is_file() or not _FILES.fullmatch(relative):
                raise errors.UsageError(f"{shown} has {relative!r}, which is no file of a SavedModel; remove it")


def _parse(path: pathlib.Path, shown: str) -> Any:
    """Returns the parsed SavedModel, a message of _SCHEMA."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise errors.UsageError(f"{shown} is no SavedModel: {_GRAPH} cannot be read ({error.strerror})") from error
    if len(data) > MAX_BYTES:
        raise errors.UsageError(f"{shown}/{_GRAPH} has {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
    try:
        return _saved_model_class().FromString(data)
    except message.DecodeError as error:
        raise errors.UsageError(f"{shown}/{_GRAPH} is damaged: it cannot be parsed") from error


def _refused(graph: Any) -> Iterator[tuple[str, str]]:
    """Yields the operations of a MetaGraph that are not allowed, after the names of their functions."""
    saver = _saver_functions(graph)
    yield from _others(_MAIN, graph.graph.nodes, allowed_operations.IN_MAIN)
    for function in graph.graph.library.functions:
        name = function.signature.name
        allowed = allowed_operations.IN_SAVER if name in saver else allowed_operations.EVERYWHERE
        yield from _others(name, function.nodes, allowed)


def _others(function: str, nodes: Iterable[Any], allowed: frozenset[str]) -> Iterator[tuple[str, str]]:
    return ((function, node.op) for node in nodes if node.op not in allowed)


def _saver_functions(graph: Any) -> set[str]:
    """Returns the functions that save and restore the variables.

    Only the two nodes of the main graph that the saver names call them. TensorFlow's Python neither runs the main
    graph nor calls them: it restores the variables itself.
    """
    saver = {graph.saver.save_tensor_name.partition(":")[0], graph.saver.restore_op_name}
    mine = _called(node for node in graph.graph.nodes if node.name in saver)
    library = graph.graph.library
    nodes = [node for node in graph.graph.nodes if node.name not in saver]
    nodes += [node for function in library.functions if function.signature.name not in mine for node in function.nodes]
    gradients = {gradient.function for gradient in library.gradients}
    named = {one.name for one in (*graph.objects.functions, *library.registered_gradients)}
    return mine - _called(nodes) - gradients - named


def _called(nodes: Iterable[Any]) -> set[str]:
    """Returns all names by which nodes may call functions: their operation's, and those in their attributes."""
    found = set()
    for node in nodes:
        found.add(node.op)
        found.update(_functions_in(node.attributes))
    return found


def _functions_in(attributes: Iterable[Any]) -> Iterator[str]:
    for attribute in attributes:
        for call in (attribute.value.function, *attribute.value.list.functions):
            yield call.name
            yield from _functions_in(call.attributes)


@functools.cache
def _saved_model_class() -> Any:
    """Returns the class of the message SavedModel."""
    file = descriptor_pb2.FileDescriptorProto(name="saved_model_part.proto", package="photochrom", syntax="proto3")
    for name, fields in _SCHEMA.items():
        made = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            made.field.add(name=field, number=number, **_field_type(kind))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("photochrom.SavedModel"))


def _field_type(kind: str) -> dict[str, Any]:
    field = descriptor_pb2.FieldDescriptorProto
    label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    if kind == "string":
        return {"label": label, "type": field.TYPE_STRING}
    return {"label": label, "type": field.TYPE_MESSAGE, "type_name": f".photochrom.{kind.removesuffix('*')}"}
