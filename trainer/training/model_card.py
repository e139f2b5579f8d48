"""The model card: what a bundle is, for the people who decide whether to use it."""

from typing import Any

_CARD = """\
# {name}

Colours black-and-white photographs. **The colours are guesses.** They are what is likely given the
photographs that it learned from, not evidence of what was there: a red dress may come out blue.

| | |
|---|---|
| version | {version} |
| digest | {digest} |
| backbone | {backbone}, weights {weights} |
| trained at | {image_size} px, ab at 1/{ab_stride} of it, {steps} steps |
| data | {data_digest} |

## Intended use

Colouring scans for viewing, browsing and first impressions, beside the original and labelled as
colorized by a machine. Lightness is not changed; only chroma is added.

Not for: evidence, identification, research on historical colour, judging skin, health or heritage
from colour, or publication without saying that the colours are made up.

## Training data

The Lab records with the digest above; the dataset's own card says where its photographs come from
and under which licences. What is rare in them (places, peoples, clothes, periods) is coloured worst.
Modern photographs turned gray are not old photographs: film before about 1906 hardly saw red, and
fading, toning and dirt are not in the data.

## Measured

On {examples} photographs of the validation split; `photochrom evaluate` measures more.

| mean colour nearer to the truth than gray, dB of ab | mean chroma, model | mean chroma, truth | loss |
|---|---|---|---|
| {gain:.2f} | {chroma:.2f} | {true_chroma:.2f} | {loss:.2f} |

`confidence` is exp(-expected ab error / 20): low means a guess among many. The error that the model expects of a
pixel is off by {expected_error_off_by:.1f} ab units on average.

## Licences

Code: {code_licence}. Backbone weights: {weights_licence}.
"""


def write_card(info: dict[str, Any]) -> str:
    """Returns the card of a bundle as Markdown, from its model.json."""
    weights = info["backbone_weights"]
    return _CARD.format(
        **{
            key: info[key]
            for key in ("name", "version", "digest", "backbone", "image_size", "ab_stride", "data_digest")
        },
        **info["metrics"],
        weights=" ".join(filter(None, (weights["source"], weights["sha256"]))),
        steps=info["steps"],
        code_licence=info["licences"]["code"],
        weights_licence=info["licences"]["backbone_weights"],
    )
