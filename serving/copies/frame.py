"""How places in a stored picture move to its upright copy: turned, mirrored, with rows added below.

Source for the orientations: CIPA DC-008 (EXIF 2.32), tag 274.
"""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Frame:
    """The geometry of a copy.

    Attributes:
        width, height: of the upright picture, px.
        orientation: EXIF's, in which the original stores it.
        added_rows: px below the picture.
    """

    width: int
    height: int
    orientation: int = 1
    added_rows: int = 0

    @property
    def is_same(self) -> bool:
        """Returns whether the copy has the geometry of the stored original."""
        return self.orientation == 1 and not self.added_rows

    @property
    def is_swapped(self) -> bool:
        """Returns whether rows of the original are columns of the copy."""
        return self.orientation >= 5

    @property
    def is_mirrored(self) -> bool:
        """Returns whether left and right of the original's content change places."""
        return self.orientation in (2, 4, 5, 7)

    @property
    def copy_height(self) -> int:
        """Returns the height of the copy, px."""
        return self.height + self.added_rows

    @property
    def stored(self) -> tuple[int, int]:
        """Returns width and height of the stored original, px."""
        return (self.height, self.width) if self.is_swapped else (self.width, self.height)

    def size(self, width: float, height: float) -> tuple[float, float]:
        """Returns width and height in the copy of an extent in the original, px."""
        return (height, width) if self.is_swapped else (width, height)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Returns the place in the copy of a place in the original, px."""
        width, height = self.stored
        if self.orientation in (2, 3, 7, 8):
            x = width - x
        if self.orientation in (3, 4, 6, 7):
            y = height - y
        return (y, x) if self.is_swapped else (x, y)

    def box(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """Returns left, top, width and height in the copy of a box with that corner and size in the original, px."""
        centre_x, centre_y = self.point(x + width / 2, y + height / 2)
        width, height = self.size(width, height)
        return centre_x - width / 2, centre_y - height / 2, width, height

    def subject(self, values: Sequence[int]) -> list[int]:
        """Moves EXIF's SubjectArea: a point, a circle (centre, diameter) or a box (centre, width, height), px.

        Raises:
            ValueError: another number of values, or a place outside of the picture.
        """
        width, height = self.stored
        if len(values) not in (2, 3, 4) or not (0 <= values[0] <= width and 0 <= values[1] <= height):
            raise ValueError(f"subject {list(values)[:4]} in a picture of {width}x{height} px")
        extent = self.size(*values[2:]) if len(values) == 4 else values[2:]
        return [round(value) for value in (*self.point(*values[:2]), *extent)]
