"""Reads the imports of every module and checks the map: who may import whom."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
JOBS = ("pipelines", "trainer", "serving")
OURS = ("photochrom", *JOBS, "benchmarks", "tests")
# What may import a heavy library, at the top of a file or within a function.
TENSORFLOW = {"photochrom/records.py", "photochrom/quiet.py"}
BEAM = {f"photochrom/{name}.py" for name in ("beam_io", "beam_files", "clusters", "dataflow", "local_runner", "spills")}
GOOGLE = {"photochrom/gcs.py", "photochrom/buckets.py", "photochrom/bucket_io.py", "photochrom/dataflow.py"}


def modules(*packages: str) -> list[pathlib.Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def imported(path: pathlib.Path) -> set[str]:
    """Returns the dotted names of all imports in a file, also of those within functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages_of(path: pathlib.Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def name_of(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", modules("photochrom", *JOBS), ids=name_of)
def test_jobs_import_photochrom_and_never_one_another(path):
    own = name_of(path).split("/")[0]
    assert packages_of(path) & set(OURS) <= {own, "photochrom"}


@pytest.mark.parametrize("path", modules("photochrom"), ids=name_of)
def test_tensorflow_and_beam_stand_where_the_map_says(path):
    heavy = packages_of(path)
    assert not heavy & {"keras", "tensorflow_transform"}
    assert "tensorflow" not in heavy or name_of(path) in TENSORFLOW
    assert "apache_beam" not in heavy or name_of(path) in BEAM
    assert "google" not in heavy or name_of(path) in GOOGLE


def test_one_module_imports_tensorflow_transform():
    assert [name_of(p) for p in modules(*OURS) if "tensorflow_transform" in packages_of(p)] == [
        "pipelines/statistics/analyze.py"
    ]


@pytest.mark.parametrize("path", modules("trainer"), ids=name_of)
def test_keras_is_imported_as_keras(path):
    assert not any(name.startswith("tensorflow.keras") for name in imported(path))
    assert "tf.keras" not in path.read_text()


@pytest.mark.parametrize(
    "path", [ROOT / "trainer" / name for name in ("model.py", "layers.py", "heads.py")], ids=name_of
)
def test_the_model_is_written_in_keras_operations_alone(path):
    assert "tensorflow" not in packages_of(path)


@pytest.mark.parametrize("path", modules("serving"), ids=name_of)
def test_serving_needs_no_keras(path):
    assert "keras" not in packages_of(path)


def test_importing_photochrom_imports_nothing():
    assert imported(ROOT / "photochrom/__init__.py") == set()


def test_tests_stay_out_of_the_wheel():
    setup = ast.parse((ROOT / "setup.py").read_text())
    (packages,) = [
        keyword.value for node in ast.walk(setup) if isinstance(node, ast.Call)
        for keyword in node.keywords if keyword.arg == "packages"
    ]  # fmt: skip
    assert ast.literal_eval(packages) == ["photochrom", *JOBS]


def test_templates_are_in_the_wheel():
    setup = ast.parse((ROOT / "setup.py").read_text())
    (data,) = [
        ast.literal_eval(keyword.value) for node in ast.walk(setup) if isinstance(node, ast.Call)
        for keyword in node.keywords if keyword.arg == "package_data"
    ]  # fmt: skip
    packed = {path for package, globs in data.items() for glob in globs for path in (ROOT / package).glob(glob)}
    templates = {path for package in OURS for path in (ROOT / package).rglob("*.j2")}
    assert templates and templates <= packed
