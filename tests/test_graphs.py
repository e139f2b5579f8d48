"""The graphs of the jobs, as runners get them."""

import datetime

import apache_beam as beam
import pytest
from apache_beam.portability import common_urns

from photochrom.model import bundle
from photochrom.sources import inputs
from pipelines import pipeline as prepare
from pipelines.config import PrepareConfig
from serving import pipeline as colorize
from serving.config import ColorizeConfig
from serving.screening.exclusion import ExclusionList

pytestmark = pytest.mark.job  # the graphs of whole jobs

BUILD = {
    "prepare": lambda root, found: prepare.build(root, found, PrepareConfig(input=("in",), output="out")),
    "prepare without near-duplicates": lambda root, found: prepare.build(
        root, found, PrepareConfig(input=("in",), output="out", near_duplicates="ignore")
    ),
    "colorize": lambda root, found: colorize.build(
        root,
        found,
        ColorizeConfig(input=("in",), output="out"),
        bundle.open_bundle(bundle.DEFAULT),
        ExclusionList(),
        datetime.datetime.now(datetime.UTC),
    ),
    "colorize, all pages": lambda root, found: colorize.build(
        root,
        found,
        ColorizeConfig(input=("in",), output="out", pages="all"),
        bundle.open_bundle(bundle.DEFAULT),
        ExclusionList(),
        datetime.datetime.now(datetime.UTC),
        frozenset(["a"]),
    ),
}


@pytest.mark.parametrize("name", BUILD)
def test_flattened_inputs_have_one_coder(name, photo_folder):
    """Flink reads all that a Flatten gets by one coder, and what was written by another comes out as something else.

    Beam's own, within CoGroupByKey and combiners, are run by the worker that made what they get.
    """
    root = beam.Pipeline()
    BUILD[name](root, inputs.parse([str(photo_folder)]))
    graph = root.to_runner_api().components

    def coder(id):
        found = graph.coders[id]
        return found.spec.urn, found.spec.payload, tuple(map(coder, found.component_coder_ids))

    flattens = [one for one in graph.transforms.values() if one.spec.urn == common_urns.primitives.FLATTEN.urn]
    beams = ("CoGroupByKeyImpl/Flatten", "CombinePerKey/Flatten", "Top(5)/Flatten")
    ours = [one for one in flattens if not one.unique_name.endswith(beams)]
    assert flattens
    assert ours or name.startswith("prepare")  # which has none but Beam's
    flows = {one.unique_name: [*one.inputs.values(), *one.outputs.values()] for one in ours}
    mixed = [name for name, ids in flows.items() if len({coder(graph.pcollections[id].coder_id) for id in ids}) > 1]
    assert not mixed
