import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from photochrom import errors
from photochrom.model import allowed_operations, bundle, graph_check, loaded, signature

# Operations that are allowed although they have effects or a state: calls, checks, and the model's own variables.
_STATEFUL = {
    "Assert", "Case", "If", "Placeholder", "ReadVariableOp", "StatefulPartitionedCall", "VarHandleOp", "While",
}  # fmt: skip
_SPEC = tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)


def save(folder, body) -> None:
    """Saves a colorizer that does `body(lightness)` beside its work."""

    def serve(lightness):
        with tf.control_dependencies([one for one in [body(lightness)] if one is not None]):
            return {signature.AB: tf.concat([lightness] * 2, -1), signature.CONFIDENCE: lightness * 0}

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=[_SPEC])
    tf.saved_model.save(module, str(folder), signatures={signature.NAME: module.serve})


def _text(lightness):
    return tf.strings.as_string(tf.reduce_sum(lightness))


def _written(path, value=1):
    with tf.control_dependencies([tf.io.write_file(path, "written")]):
        return tf.identity(value)


def write(path):
    return lambda lightness: _written(path)


def write_in_nested_function(path):
    inner = tf.function(lambda: _written(path))
    outer = tf.function(lambda: inner() + 1)
    return lambda lightness: outer()


def write_in_branch(path):
    return lambda lightness: tf.cond(tf.size(lightness) > 1, lambda: _written(path), lambda: tf.constant(0))


def write_in_loop(path):
    return lambda lightness: tf.while_loop(lambda i: i < tf.size(lightness), lambda i: [_written(path, i + 1)], [0])[0]


def call_python(path):
    def python(lightness):
        with open(path, "w") as file:
            file.write("written")
        return lightness

    return lambda lightness: tf.py_function(python, [lightness], tf.float32)


def call_numpy_in_nested_function(path):
    return tf.function(lambda lightness: tf.numpy_function(np.negative, [lightness], tf.float32))


def print_to_file(path):
    return lambda lightness: tf.print(_text(lightness), output_stream=f"file://{path}")


def read(path):
    return lambda lightness: tf.io.read_file("/etc/hostname")


def list_folder(path):
    return lambda lightness: tf.io.matching_files("/etc/*")


def read_checkpoint(path):
    return lambda lightness: tf.raw_ops.RestoreV2(
        prefix="/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0]


@pytest.mark.parametrize(
    ("make", "operation"),
    [
        (write, "WriteFile"),
        (write_in_nested_function, "WriteFile"),
        (write_in_branch, "WriteFile"),
        (write_in_loop, "WriteFile"),
        (call_python, "EagerPyFunc"),
        (call_numpy_in_nested_function, "PyFunc"),
        (print_to_file, "AsString"),
        (read, "ReadFile"),
        (list_folder, "MatchingFiles"),
        (read_checkpoint, "RestoreV2"),
    ],
)
def test_graph_that_does_more_than_compute_is_refused(make, operation, tmp_path):
    save(tmp_path / "bundle/saved_model", make(str(tmp_path / "written")))
    bundle.seal(tmp_path / "bundle", {"name": "hostile", "image_size": 32, "ab_stride": 1})
    with pytest.raises(errors.UsageError, match=rf"bundle has the operation {operation} \(in .*\), which is not among"):
        bundle.open_bundle(str(tmp_path / "bundle"))
    with pytest.raises(errors.UsageError, match=f"has the operation {operation} "):
        loaded.load(str(tmp_path / "bundle/saved_model"), "bundle")
    assert not (tmp_path / "written").exists()


def test_initializer_of_a_table_is_refused(tmp_path):
    module = tf.Module()
    (tmp_path / "words.txt").write_text("a\n")
    text = tf.lookup.TextFileInitializer(
        str(tmp_path / "words.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )  # fmt: skip
    module.table = tf.lookup.StaticHashTable(text, -1)
    tf.saved_model.save(module, str(tmp_path / "saved_model"))
    with pytest.raises(errors.UsageError, match=r"'assets/words\.txt', which is no file of a SavedModel"):
        graph_check.check(tmp_path / "saved_model", "bundle")
    (tmp_path / "saved_model/assets/words.txt").unlink()
    with pytest.raises(errors.UsageError, match="has the operation "):
        graph_check.check(tmp_path / "saved_model", "bundle")


@pytest.fixture
def saved(tmp_path):
    """A SavedModel of a network with a variable, and a function that edits it."""
    module = tf.Module()
    module.factor = tf.Variable(2.0)
    module.serve = tf.function(lambda lightness: {"ab": lightness * module.factor}, input_signature=[_SPEC])
    folder = tmp_path / "saved_model"
    tf.saved_model.save(module, str(folder), signatures={signature.NAME: module.serve})

    def edit(change):
        model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        change(model)
        (folder / "saved_model.pb").write_bytes(model.SerializeToString())
        graph_check.check(folder, "bundle")

    return folder, edit


def _restoring(graph) -> str:
    [node] = [node for node in graph.graph_def.node if node.name == graph.saver_def.restore_op_name]
    return node.attr["f"].func.name


def _served(graph):
    return next(one for one in graph.graph_def.library.function if "serve" in one.signature.name or "lambda" in
                one.signature.name)  # fmt: skip


def test_saver_of_variables_is_accepted(saved):
    folder, edit = saved
    edit(lambda model: None)
    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0]
    restoring = next(one for one in graph.graph_def.library.function if one.signature.name == _restoring(graph))
    assert "RestoreV2" in {node.op for node in restoring.node_def}


@pytest.mark.parametrize("way", ["attribute", "list", "nested", "name", "object", "gradient"])
def test_saver_that_others_can_call_is_refused(saved, way):
    def change(model):
        graph = model.meta_graphs[0]
        name, node = _restoring(graph), _served(graph).node_def.add(name="call", op="PartitionedCall")
        if way == "attribute":
            node.attr["f"].func.name = name
        elif way == "list":
            node.attr["branches"].list.func.add(name=name)
        elif way == "nested":
            node.attr["f"].func.attr["g"].func.name = name
        elif way == "name":
            node.op = name
        elif way == "object":
            graph.object_graph_def.concrete_functions[name].SetInParent()
        else:
            graph.graph_def.library.registered_gradients.add(gradient_func=name, registered_op_type="x")

    with pytest.raises(errors.UsageError, match="has the operation "):
        saved[1](change)


def test_function_is_not_taken_for_an_operation(saved):
    def change(model):
        library = model.meta_graphs[0].graph_def.library
        library.function.add().signature.name = "WriteFile"
        _served(model.meta_graphs[0]).node_def.add(name="call", op="WriteFile")

    with pytest.raises(errors.UsageError, match="has the operation WriteFile"):
        saved[1](change)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.meta_graphs.add().CopyFrom(model.meta_graphs[0]),
        lambda model: model.meta_graphs[0].ClearField("object_graph_def"),
        lambda model: model.Clear(),
    ],
)
def test_savedmodel_of_another_form_is_refused(saved, change):
    with pytest.raises(errors.UsageError, match="bundle is no SavedModel of TensorFlow 2 with one graph"):
        saved[1](change)


@pytest.mark.parametrize("name", ["saved_model.pbtxt", "debug/saved_model_debug_info.pb", "assets/a", ".hidden"])
def test_other_files_are_refused(saved, name):
    folder, edit = saved
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(errors.UsageError, match=f"has '{name}', which is no file of a SavedModel"):
        edit(lambda model: None)


def test_links_and_pipes_are_not_opened(saved):
    folder, edit = saved
    (folder / "variables").rename(folder.parent / "elsewhere")
    (folder / "variables").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(errors.UsageError, match="has 'variables', which is no file"):
        edit(lambda model: None)
    (folder / "variables").unlink()
    (folder / "saved_model.pb").unlink()
    os.mkfifo(folder / "saved_model.pb")
    with pytest.raises(errors.UsageError, match=r"has 'saved_model\.pb', which is no file"):
        graph_check.check(folder, "bundle")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0a\xff", "is damaged: it cannot be parsed"),
        (b"", "is no SavedModel of TensorFlow 2"),
        (b"\x12\x00" * 600, "has 1200 bytes, expected at most 1000"),
    ],
)
def test_damaged_and_huge_files_are_refused(saved, monkeypatch, data, message):
    monkeypatch.setattr(graph_check, "MAX_BYTES", 1000)
    (saved[0] / "saved_model.pb").write_bytes(data)
    with pytest.raises(errors.UsageError, match=message):
        graph_check.check(saved[0], "bundle")


def test_missing_savedmodel_is_named(tmp_path):
    with pytest.raises(errors.UsageError, match=r"bundle is no SavedModel: saved_model\.pb cannot be read"):
        graph_check.check(tmp_path / "none", "bundle")


def test_default_bundle_is_accepted():
    assert bundle.open_bundle(bundle.DEFAULT).info["name"] == "photochrom"


def test_allowed_operations_exist_and_only_compute():
    for name in allowed_operations.EVERYWHERE:
        found = op_def_registry.get(name)
        assert found, name
        assert not found.is_stateful or name in _STATEFUL, name
        assert not {"filename", "prefix", "path", "address", "target"} & {
            one.name for one in (*found.input_arg, *found.attr)
        }, name
