"""Whole evaluations, with the files and the text that they leave."""

import contextlib
import csv
import dataclasses
import io
import pathlib
from typing import Any


@dataclasses.dataclass
class Evaluation:
    """The results of one call of `photochrom evaluate`."""

    folder: pathlib.Path
    summary: dict[str, Any]
    printed: str

    def rows(self, name: str = "metrics.csv") -> list[dict[str, str]]:
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))

    @property
    def page(self) -> str:
        return (self.folder / "report.html").read_text()


def evaluate(opened, data, folder, *flags) -> Evaluation:
    """Evaluates a bundle, or compares a list of two, on data."""
    from trainer import evaluate as command

    models = [f"--model={one.path}" for one in (opened if isinstance(opened, list) else [opened])]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        summary = command.run([*models, f"--data={data}", f"--output={folder}", *flags])
    return Evaluation(pathlib.Path(folder), summary, printed.getvalue())
