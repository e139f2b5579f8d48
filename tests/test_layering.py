"""Reads the imports of every module and checks the map: which folder may import which."""

import ast
import collections
import importlib.util
import pathlib

import pytest
import setuptools

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("photochrom", "pipelines", "trainer", "serving")
OURS = (*PACKAGES, "benchmarks", "tests")
MOST_MODULES = 16  # of a folder; a newcomer reads the listing at a glance

# Folder -> the folders below it, which it may import. `photochrom` itself is the ground (errors, settings, dataset,
# records, photograph) and the roof (cli, demo): see GROUND.
BELOW = {
    "photochrom.storage": (),
    "photochrom.sources": ("photochrom.storage",),
    "photochrom.imaging": ("photochrom.storage",),
    "photochrom.imaging.readers": ("photochrom.imaging",),
    "photochrom.imaging.sandbox": ("photochrom.imaging",),
    "photochrom.color": ("photochrom.imaging",),
    "photochrom.model": ("photochrom.storage", "photochrom.imaging"),
    "photochrom.jobs": ("photochrom.storage", "photochrom.sources"),
    "pipelines.near_duplicates": ("pipelines",),
    "pipelines.statistics": ("pipelines",),
    "trainer.model": (),
    "trainer.data": (),
    "trainer.training": ("trainer.model", "trainer.data", "trainer.evaluation"),
    "trainer.evaluation": ("trainer.model", "trainer.data"),
    "serving.manifest": (),
    "serving.copies": ("serving.credentials",),
    "serving.credentials": (),
    "serving.inference": (),
    "serving.resume": ("serving.manifest",),
    "serving.screening": ("serving.manifest",),
    "serving.bagit": ("serving.manifest",),
    "serving.review": ("serving.manifest",),
    "serving.trial": ("serving.manifest", "serving.inference"),
    "serving.iiif": ("serving.manifest",),
    "benchmarks.faults": ("benchmarks",),
    "benchmarks.fuzz": ("benchmarks",),
}
# What `import photochrom` offers: names of the jobs, which it imports when they are used.
FRONT = "photochrom.__init__"
# Modules at the top of a package that its folders may import.
GROUND = {
    "photochrom": ("errors", "flags", "settings", "dataset", "records", "photograph", "__version__"),
    "pipelines": ("config", "shards", "splits"),
    "trainer": ("config", "fit"),
    "serving": ("config", "scans"),
    "benchmarks": (),
}
# Where a heavy library may be imported, at the top of a file or within a function.
HOMES = {
    "tensorflow": ("photochrom.records", "photochrom.model.loaded", "photochrom.jobs.tensorflow_setup", "pipelines",
                   "trainer", "serving.inference"),
    "keras": ("trainer",),
    "tensorflow_transform": ("pipelines.statistics",),
    "apache_beam": ("photochrom.jobs", "pipelines", "serving"),
    "google": ("photochrom.storage", "photochrom.model.graph_check", "photochrom.jobs.dataflow",
               "photochrom.jobs.local_workers"),
}  # fmt: skip


def modules(*packages: str) -> list[str]:
    """Returns the dotted names of all modules in some packages."""
    paths = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    return [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths]


def source(module: str) -> str:
    return (ROOT / (module.replace(".", "/") + ".py")).read_text()


def imported(module: str) -> set[str]:
    """Returns the dotted names of all imports in a module, also of those within functions."""
    names = set()
    for node in ast.walk(ast.parse(source(module))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def is_in(name: str, folders: tuple[str, ...]) -> bool:
    return any(name == folder or name.startswith(f"{folder}.") for folder in folders)


@pytest.mark.parametrize("module", [name for name in modules(*PACKAGES) if name != FRONT])
def test_jobs_import_photochrom_and_never_one_another(module):
    own = module.split(".")[0]
    assert {name.split(".")[0] for name in imported(module)} & set(OURS) <= {own, "photochrom"}


@pytest.mark.parametrize("module", [name for name in modules(*PACKAGES, "benchmarks") if name.count(".") > 1])
def test_folder_imports_only_the_folders_below_it(module):
    folder = module.rpartition(".")[0]
    package = folder.split(".")[0]
    allowed = (folder, *BELOW[folder], *(f"{package}.{name}" for name in GROUND[package]))
    strays = {name for name in imported(module) if name.startswith(f"{package}.") and not is_in(name, allowed)}
    assert not strays


@pytest.mark.parametrize("module", [f"photochrom.{name}" for name in ("errors", "settings", "records")])
def test_ground_imports_no_roof(module):
    assert not any(is_in(name, ("photochrom.cli", "photochrom.demo", "photochrom.jobs")) for name in imported(module))


@pytest.mark.parametrize("module", modules(*PACKAGES))
def test_heavy_libraries_are_imported_at_home_only(module):
    for library, homes in HOMES.items():
        found = {name for name in imported(module) if is_in(name, (library,))}
        assert not found or is_in(module, homes), f"{library} is for {homes}"


def test_no_import_circle():
    known = set(modules(*PACKAGES))
    graph = {
        module: {name for full in imported(module) for name in (full, full.rpartition(".")[0]) if name in known}
        for module in known
    }
    while graph:
        leaves = {module for module, needs in graph.items() if not needs & graph.keys() - {module}}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {module: needs for module, needs in graph.items() if module not in leaves}


def test_no_folder_is_a_drawer():
    counts = collections.Counter(
        module.rpartition(".")[0] for module in modules(*PACKAGES, "benchmarks") if not module.endswith("__init__")
    )
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}
    assert counts["photochrom"] <= 8


@pytest.mark.parametrize("module", [name for name in modules(*PACKAGES, "benchmarks") if name.endswith("__init__")])
def test_each_folder_states_what_belongs_there(module):
    tree = ast.parse(source(module))
    assert ast.get_docstring(tree)
    assert imported(module) == set() or module == FRONT


@pytest.mark.parametrize("module", modules("trainer"))
def test_keras_is_imported_as_keras(module):
    assert not any(name.startswith("tensorflow.keras") for name in imported(module))
    assert "tf.keras" not in source(module)


@pytest.mark.parametrize("module", [f"trainer.model.{name}" for name in ("build", "layers", "heads")])
def test_model_is_written_in_keras_operations_alone(module):
    assert not any(is_in(name, ("tensorflow",)) for name in imported(module))


def test_tests_import_nothing_from_benchmarks():
    named = {"tests.test_faults", "tests.test_fuzz", "tests.test_scale"}  # which test the benchmarks themselves
    found = {module for module in modules("tests") if any(is_in(name, ("benchmarks",)) for name in imported(module))}
    assert found <= named


def setup_arguments(monkeypatch) -> dict:
    """Returns what setup.py gives to setuptools."""
    found = {}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(setuptools, "setup", found.update)
    spec = importlib.util.spec_from_file_location("setup_under_test", ROOT / "setup.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return found


def test_wheel_has_the_four_packages_and_their_data(monkeypatch):
    arguments = setup_arguments(monkeypatch)
    folders = {module.rpartition(".")[0] for module in modules(*PACKAGES) if module.endswith("__init__")}
    assert set(arguments["packages"]) == folders
    packed = {
        path for package, globs in arguments["package_data"].items() for pattern in globs
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }  # fmt: skip
    data = {
        path
        for name in PACKAGES
        for pattern in ("*.j2", "*.npz", "*.pb", "*.jpg", "*.html", "*.css", "*.js", "*.svg")
        for path in (ROOT / name).rglob(pattern)
    }
    assert data and data <= packed
