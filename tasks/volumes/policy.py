"""What a site allows the stage to resample; what it does not allow is held back or kept as it was acquired."""

from __future__ import annotations

from pydantic import Field

from tasks.section import Section


class VolumesSettings(Section):
    """How released studies become volumes. Resampled voxels are always marked as such, and never replace those that were acquired."""

    #: Beside a sheared stack (gantry tilt), the same voxels on a grid of right angles, which models can read.
    orthogonal: bool = True
    #: The most slices that may be missing between two others for the stack to be filled by interpolation; none by default.
    fill_missing: int = Field(default=0, ge=0, le=16)
    #: Whether stacks of variable spacing are resampled to an even one.
    even_out: bool = False
