import numpy as np

from photochrom.sources.source import Source
from serving.inference import batching
from serving.manifest.rows import Row
from serving.scans import Candidate, Scan


def candidate(number: int, shape: tuple[int, int]) -> Candidate:
    source = Source(str(number), str(number))
    return Candidate(Scan(source, "", b"", None, None, np.zeros(shape, np.float32), shape), Row.of(source))


def test_batches_are_full_and_of_one_shape():
    batcher = batching.BatchByShape(4)
    batcher.start_bundle()
    candidates = [candidate(i, (64, 64) if i % 3 else (32, 128)) for i in range(20)]
    batches = [batch for one in candidates for batch in batcher.process(one)]
    rest = [value.value for value in batcher.finish_bundle()]
    assert all(len(batch) == 4 for batch in batches)
    assert sorted(map(len, rest)) == [1, 3]
    assert all(len({one.scan.lightness.shape for one in batch}) == 1 for batch in batches + rest)
    assert sorted(int(one.row.key) for batch in batches + rest for one in batch) == list(range(20))


def test_batches_do_not_cross_a_bundle():
    batcher = batching.BatchByShape(4)
    for _ in range(2):
        batcher.start_bundle()
        assert not list(batcher.process(candidate(0, (32, 32))))
        assert [len(value.value) for value in batcher.finish_bundle()] == [1]
