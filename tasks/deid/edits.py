"""What is done to the pixels of one instance on its way out, and what its header then says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tasks.deid import pixel_data
from tasks.deid.burned_in.blanking import blank
from tasks.deid.burned_in.box import Box
from tasks.dicom.instances import Instance

#: PS3.16 CID 7050: Clean Pixel Data Option, Clean Recognizable Visual Features Option.
CLEAN_PIXELS, CLEAN_FEATURES = "113101", "113102"
_BURNED_IN, _FEATURES = 0x00280301, 0x00280302


@dataclass
class Edits:
    """The edits of one instance; none of them leaves the pixel data as they came, bit by bit.

    Args:
        boxes: to blank, by frame.
        faceless: makes the pixel data without the face.
    """

    instance: Instance
    boxes: Mapping[int, tuple[Box, ...]] | None = None
    faceless: Callable[[], bytes] | None = field(default=None, repr=False)
    _value: bytes = field(default=b"", init=False, repr=False)

    @property
    def methods(self) -> tuple[str, ...]:
        """Codes of PS3.16 CID 7050 for what was done. Images that were looked at and show no text are clean by the same option."""
        looked = (CLEAN_PIXELS,) if self.instance.pixels else ()
        return (*looked, *((CLEAN_FEATURES,) if self.faceless is not None else ()))

    @property
    def stated(self) -> dict[int, str]:
        """What the header says of it (PS3.15 E.3.1, E.3.2): attributes of VR CS, by tag."""
        said = {_BURNED_IN: "NO"} if self.instance.pixels else {}
        return said | ({_FEATURES: "NO"} if self.faceless is not None else {})

    def prepare(self) -> None:
        """Make the edited pixel data, if anything is to be edited.

        Raises:
            SafelightError: E-DEID-BLANK-LOSSY, or why the face cannot be taken out.
        """
        if self.faceless is not None:
            self._value = self.faceless()
        if self.boxes:
            dataset = self.instance.whole()
            if self._value:
                dataset.PixelData = self._value
            self._value = blank(dataset, self.boxes)

    def pixels(self) -> Iterator[bytes]:
        """The pixel data elements, after `prepare`."""
        return pixel_data.edited(self.instance, self._value) if self._value else pixel_data.copied(self.instance)
