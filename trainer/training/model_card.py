"""The model card of a bundle: use, data, measurements and licences, for people who decide whether to use it."""

import re
from typing import Any

from photochrom.model import front_matter

_FRONT = {
    "license": "other",
    "license_name": "see the section Licences",
    "pipeline_tag": "image-to-image",
    "tags": ["colorization", "photographs", "tensorflow", "saved-model", "photochrom"],
}
_CARD = """\
# {name}

Colours black-and-white photographs. **The colours are guesses.** They are likely, given the training
photographs, but no evidence of the true colours: a red dress may become blue.

| | |
|---|---|
| version | {version} |
| digest | {digest} |
| base model | {base} |
| trained at | {image_size} px, ab at 1/{ab_stride} of it, {steps} steps |
| training data | the dataset with digest {data_digest}; its card is its `README.md` |
{origins}
## Intended use

Colouring scans for viewing, browsing and first impressions, beside the original and labelled as
colorized by a machine. Lightness is unchanged; only chroma is added.

Not for: evidence, identification, research on historical colour, judging skin, health or heritage
from colour, or publication without a statement that the colours are invented.

## Training data

The Lab records with the digest above; the dataset's card states the sources and licences of its
photographs. Rare subjects (places, peoples, clothes, periods) are coloured worst. Modern photographs
converted to gray differ from old photographs: film before about 1906 was almost insensitive to red,
and the data has no fading, toning or dirt.

## Measured

On {examples} photographs of the validation split; `photochrom evaluate` has more metrics.

| PSNR of ab above gray, dB | at the calibrated strength | mean chroma, model | mean chroma, truth | loss |
|---|---|---|---|---|
| {gain:.2f} | {calibrated_gain:.2f} | {chroma:.2f} | {true_chroma:.2f} | {loss:.2f} |
{subsets}
`confidence` is exp(-expected ab error / 20): low where many colours are likely. The expected error of a pixel
deviates from its error by {expected_error_off_by:.1f} ab units on average.

## Licences

Code: {code_licence}. Backbone weights: {weights_licence}.
"""

# Names in model.json of further bundles and data that a model learned from, and their titles.
_ORIGINS = {
    "teacher": "teachers",
    "unlabelled_digest": "photographs with the teachers' colours alone",
}
_HEADER = (
    "| subset | photographs | PSNR of ab above gray at the calibrated strength, dB | chroma / true chroma | median |",
    "|---|---|---|---|---|",
)
_ROW = "| {photographs:d} | {gain:.2f} | {chroma_ratio:.2f} | {median_chroma_ratio:.2f} |"


def write_card(info: dict[str, Any]) -> str:
    """Returns the card of a bundle as Markdown, from its model.json."""
    return front_matter.encode(_FRONT) + _CARD.format(
        **{key: info[key] for key in ("name", "version", "digest", "image_size", "ab_stride", "data_digest")},
        **info["metrics"],
        origins="".join(f"| {title} | {info[name]} |\n" for name, title in _ORIGINS.items() if info.get(name)),
        subsets=format_subsets(info.get("subsets", {})),
        base=_base(info),
        steps=info["steps"],
        code_licence=info["licences"]["code"],
        weights_licence=info["licences"]["backbone_weights"],
    )


def format_subsets(subsets: dict[str, dict[str, float]]) -> str:
    """Returns the figures of the subsets as a table, empty without any."""
    if not subsets:
        return ""
    rows = [f"| {_cell(name)} " + _ROW.format(**figures) for name, figures in subsets.items()]
    return "\n".join(["", *_HEADER, *rows, ""])


def _cell(name: str) -> str:
    """Returns a name, which comes from keys of photographs, as plain text in a table."""
    return re.sub(r"([\\`*_{}\[\]<>()#+.!|-])", r"\\\1", name)


def _base(info: dict[str, Any]) -> str:
    """Returns the network and, after --init, the bundles from which the model continues."""
    weights = info["backbone_weights"]
    title = " ".join(filter(None, (weights["source"], weights["sha256"])))
    continued = f"; continued from the bundle {info['init']}" if info.get("init") else ""
    return f"{info['backbone']}, weights {title}{continued}"
