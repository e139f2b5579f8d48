import dataclasses

import pytest

from pipelines.config import PrepareConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image_size": 100}, "--image_size is 100, expected at least 32 and at most 4096 and a multiple of 32 px"),
        ({"ab_stride": 3}, "--ab_stride is 3, expected one of 1, 2, 4"),
        ({"compression": "zip"}, "--compression is 'zip', expected one of none, gzip"),
        ({"near_duplicates": "apart"}, "--near_duplicates is 'apart', expected one of together, ignore"),
        ({"num_shards": -1}, "--num_shards is -1, expected at least 0"),
        ({"stratify": "a+"}, "--stratify 'a.' has no group, expected one around the kind"),
        ({"split": "train=0.5"}, "--split train=0.5 adds up to 0.5"),
    ],
)
def test_config_refuses_values_outside_its_limits(values, message):
    with pytest.raises(ValueError, match=message):
        PrepareConfig(input=("photographs",), output="dataset", **values)


def test_settings_without_effect_are_left_out_of_the_dataset():
    config = PrepareConfig(input=("photographs",), output="dataset")
    assert not {"stratify", "colourless"} & config.record_settings().keys()
    changed = dataclasses.replace(config, stratify="(a)", colourless="keep").record_settings()
    assert (changed["stratify"], changed["colourless"]) == ("(a)", "keep")
