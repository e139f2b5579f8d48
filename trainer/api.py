"""Datasets and evaluation from Python; `import photochrom` offers both."""

from typing import Any

from photochrom import flags as arguments
from photochrom.dataset import shard_prefix

# Records that are parsed at a time.
_BATCH = 16


def open_dataset(path: str, split: str = "train") -> Any:
    """Opens a split of a dataset that `photochrom prepare` wrote, as a tf.data.Dataset.

    Args:
        path: the dataset, local, `gs://` or `s3://`.
        split: `train`, `validation` or `test`.

    Returns:
        Dicts of float32 tensors, in the order of the shards, where S is the dataset's `image_size` and s its
        `ab_stride`: `lightness` [S, S, 1], L* in 0..100; `ab` [S/s, S/s, 2], CIE a*, b*; `weight` [S/s, S/s, 1],
        the rebalancing weight of the true colour, of mean 1 over the dataset.

    Raises:
        UsageError: there is no dataset, it is incomplete, or the split is empty.
    """
    from photochrom.jobs import tensorflow_setup

    tensorflow_setup.import_tensorflow()
    from trainer.data.dataset import Dataset
    from trainer.data.dataset_copy import DESCRIPTION, DatasetCopy

    copy = DatasetCopy(path)
    copy.bring(*DESCRIPTION, shard_prefix(split))
    opened = Dataset(copy.folder, name=path)
    return opened.read(opened.files(split)).batch(_BATCH).map(opened.transform).unbatch()


def evaluate(model: str | list[str], data: str, output: str, **flags: Any) -> dict[str, Any]:
    """Runs `photochrom evaluate` and returns its summary, the content of `OUTPUT/summary.json`.

    Args:
        model: a bundle, `default`, or several to compare.
        data: a dataset, or a folder or archive of colour photographs.
        output: the folder for the report.
        **flags: those of `photochrom evaluate --help`, by their names: `limit=100`.

    Raises:
        UsageError: a flag, a bundle or the data does not fit; nothing was written.
        PhotochromError: no photograph could be used, or a model failed.
    """
    from trainer import evaluate

    return evaluate.run(list(arguments.to_args({"model": model, "data": data, "output": output, **flags})))
