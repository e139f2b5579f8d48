"""The interface between a model bundle and its callers: names, shapes and units of the tensors.

| tensor          | dtype, shape                                          | unit           |
|-----------------|-------------------------------------------------------|----------------|
| in `lightness`  | float32 [B, H, W, 1], H and W multiples of SIZE_STEP  | L*, 0..100     |
| out `ab`        | float32 [B, H/s, W/s, 2]                              | CIE a*, b*     |
| out `confidence`| float32 [B, H/s, W/s, 1]                              | 0..1           |

A features bundle, which `photochrom features` writes, has the same input; its outputs `map_0`, `map_1` ... are a
pretrained network's feature maps at each scale, fine to coarse: float32 [B, about H/4, about W/4, C] and so on.
"""

NAME = "serving_default"
LIGHTNESS = "lightness"
AB = "ab"
CONFIDENCE = "confidence"
MAP = "map_{}"
# H and W of the input are multiples of this, px: the deepest feature map of a backbone.
SIZE_STEP = 32
# The largest size of records and models, px: networks of photographs are trained at 128 to 1024.
MAX_IMAGE_SIZE = 4096
# Px of L* for one px of ab that records and models may have.
STRIDES = (1, 2, 4, 8, 16)
