import numpy as np
import pytest

from pipelines.near_duplicates import perceptual_hash


def distance(one: bytes, other: bytes) -> int:
    """The least distance of the hashes in the buckets that two pictures share; 64 if there is none."""
    buckets = dict(perceptual_hash.probes(one))
    shared = [(buckets[p.bucket] ^ p.hash).bit_count() for p in perceptual_hash.probes(other) if p.bucket in buckets]
    return min(shared, default=perceptual_hash.HASH_BITS)


def test_signature_is_a_small_lab_thumbnail():
    rgb = np.zeros([40, 60, 3], np.uint8)
    rgb[:, 30:] = 255, 0, 0
    signature = perceptual_hash.signature(rgb)
    assert len(signature) == perceptual_hash.SIGNATURE_BYTES == 384
    lab = perceptual_hash.unpack(signature)
    assert lab.shape == (16, 16, 3)
    np.testing.assert_allclose(lab[:, :7].reshape(-1, 3), np.broadcast_to([0, 0, 0], (112, 3)), atol=0.5)
    # Red of sRGB under D65: L* 53.24, a* 80.09, b* 67.20.
    np.testing.assert_allclose(lab[:, 9:].reshape(-1, 3), np.broadcast_to([53.24, 80.09, 67.20], (112, 3)), atol=0.6)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (16, 16)])
def test_probes_exist_for_any_size(size):
    rgb = np.random.default_rng(0).integers(0, 256, [*size, 3], dtype=np.uint8)
    assert 1 <= len(perceptual_hash.probes(perceptual_hash.signature(rgb))) <= 16


def test_hash_is_invariant_to_mirroring(photographs):
    for rgb in photographs.values():
        signature, mirrored = (perceptual_hash.signature(np.ascontiguousarray(x)) for x in (rgb, rgb[:, ::-1]))
        assert signature != mirrored
        assert distance(signature, mirrored) <= 2


def test_hash_is_robust_to_size_light_crop(photographs):
    for rgb in photographs.values():
        height, width = rgb.shape[:2]
        smaller = rgb[::2, ::2]
        darker = (rgb * 0.8).astype(np.uint8)
        cropped = rgb[: int(0.98 * height), int(0.02 * width) :]
        original = perceptual_hash.signature(rgb)
        for copy in (smaller, darker, cropped):
            found = distance(original, perceptual_hash.signature(np.ascontiguousarray(copy)))
            assert found <= perceptual_hash.MAX_DISTANCE


def test_different_photographs_are_far_apart(photographs):
    signatures = [perceptual_hash.signature(rgb) for rgb in photographs.values()]
    for i, one in enumerate(signatures):
        assert all(distance(one, other) > perceptual_hash.MAX_DISTANCE for other in signatures[:i])


def test_probes_are_golden():
    rows, columns = np.mgrid[0:64, 0:64]
    rgb = np.stack([rows * 4, columns * 4, (rows * columns) % 256], axis=2).astype(np.uint8)
    probes = perceptual_hash.probes(perceptual_hash.signature(rgb))
    # Golden: a change moves near-duplicates between splits, and needs another VERSION.
    assert perceptual_hash.VERSION == 1
    assert len(probes) == 16
    assert probes[0] == (87229, 12296398828316318283)
