"""Windows by name: `configs/windows.yaml`, each with its unit, its modality and where it is from."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from tasks.errors import ConfigurationError
from tasks.imaging.windows import Function, Window
from tasks.section import Section

Words = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Preset(Section):
    """A named window.

    Args:
        modality: whose values it is for, as DICOM's Modality.
        unit: of `center` and `width`, as `units` of the table `volumes`: HU, or g/ml.
        shows: what one looks at through it.
        source: where the numbers are from.
    """

    modality: Annotated[str, Field(pattern=r"^[A-Z]{2,6}$")]
    unit: Words
    center: Annotated[float, Field(allow_inf_nan=False)]
    width: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    shows: Words
    source: Words


@cache
def presets() -> dict[str, Preset]:
    """All named windows.

    Raises:
        ConfigurationError: E-IMAGING-WINDOW where the file is not as it must be.
    """
    try:
        said = yaml.safe_load(files("configs").joinpath("windows.yaml").read_text("utf-8"))
        return TypeAdapter(dict[Name, Preset]).validate_python(said)
    except (yaml.YAMLError, ValidationError):
        raise ConfigurationError("E-IMAGING-WINDOW", "configs/windows.yaml") from None


def named(name: str, function: Function = "LINEAR_EXACT") -> Window:
    """The window of a name.

    Raises:
        ConfigurationError: E-IMAGING-WINDOW where there is none, with the names that there are.
    """
    found = presets().get(name)
    if found is None:
        raise ConfigurationError("E-IMAGING-WINDOW", f"there are {', '.join(presets())}")
    return Window(found.center, found.width, function)
