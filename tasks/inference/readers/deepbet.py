"""Brain extraction in T1-weighted MR by the package `deepbet` (Fisch et al., Computers in Biology and Medicine 2024).

Two networks: one finds the brain's place in the whole head, the other outlines it there. Both, and what is done between and after them, are
the package's; orientation and the way back to the volume are ours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tasks.errors import ConfigurationError, SafelightError
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution, be_deterministic
from tasks.inference.preprocess import Prepared, prepare, restore
from tasks.inference.protocol import Found, Reading
from tasks.inference.volume import Volume

#: Above this a voxel is brain: the package's default.
_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class DeepbetReader:
    """See `tasks.inference.protocol.Reader`. Input: RAS, the volume's own spacing and values; label 1 is brain."""

    bundle: Bundle
    how: Execution
    extraction: Any

    @classmethod
    def open(cls, bundle: Bundle, how: Execution) -> Self:
        """Open the package's networks; the bundle's files are theirs, and checked."""
        be_deterministic(how)
        if how.variant:
            raise ConfigurationError("E-INFER-VARIANT", f"{bundle.label} has no faster way")
        from deepbet.bet import BrainExtraction

        network, place = (str(bundle.path(name)) for name in bundle.files)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its networks are TorchScript
            return cls(bundle, how, BrainExtraction(how.device != "cuda", network, place))

    def prepare(self, volume: Volume) -> Prepared:
        """The volume in RAS."""
        return prepare(volume, self.bundle.manifest.input)

    def infer(self, prepared: Prepared) -> Found:
        """The brain's mask; SafelightError E-INFER-OUTPUT where the networks find no brain."""
        be_deterministic(self.how)
        try:
            mask = self.extraction.run_model(np.ascontiguousarray(prepared.voxels.transpose(2, 1, 0))) > _THRESHOLD
            mask = self.extraction.postprocess(mask.astype(np.float32))
        except (AssertionError, ValueError):  # how the package says that there is nothing to find a box around
            raise SafelightError("E-INFER-OUTPUT", "no brain was found") from None
        return Found({}, labels=np.ascontiguousarray(mask.transpose(2, 1, 0) > 0).astype(np.uint8))

    def finish(self, found: Found, prepared: Prepared) -> Reading:
        """The mask on the volume's voxels."""
        return Reading({}, labels=None if found.labels is None else restore(found.labels, prepared, labels=True))
