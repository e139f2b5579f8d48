import pytest

from photochrom.jobs import advice

FACTS = {"pool": "POOL", "process": "PROCESS"}


@pytest.mark.parametrize(
    ("trace", "on_dataflow", "elsewhere"),
    [
        ("There is already an active job named x", "wait until it ends, or cancel it", ""),
        ("SERVICE_DISABLED: Dataflow API", "gcloud services enable dataflow.googleapis.com", ""),
        ("ZONE_RESOURCE_POOL_EXHAUSTED", "try another --region", ""),
        ("429 POST https://dataflow: Quota exceeded", "a quota of the project is used up", ""),
        ("403 POST https://dataflow: PERMISSION_DENIED", "the roles Dataflow Developer and", ""),
        ("RefreshError: invalid_grant", "gcloud auth application-default login", ""),
        ("No module named 'serving'", "the workers lack the package", "the workers lack the package"),
        ("No module named 'cv2'", "the workers lack a dependency", "the workers lack a dependency"),
        ("ExternalEnvironment\nStatusCode.UNAVAILABLE", "", "POOL"),
        ("Process died with exit code 1", "", "PROCESS"),
        ("Cannot run program docker", "", "--environment_type=DOCKER"),
        ("java.lang.NoSuchMethodError: x", "", "the one built for its version"),
        ("Insufficient number of network buffers", "", "taskmanager.memory.network.min"),
        ("NoResourceAvailableException", "", "too few free slots"),
        ("Connection refused", "", "the cluster, or a part of it, is gone"),
        ("ValueError: other", "", ""),
    ],
)
def test_advice_fits_trace_and_cluster(trace, on_dataflow, elsewhere):
    for is_dataflow, expected in ((True, on_dataflow), (False, elsewhere)):
        found = advice.find(trace, is_dataflow, **FACTS)
        assert expected in found and bool(found) == bool(expected)
