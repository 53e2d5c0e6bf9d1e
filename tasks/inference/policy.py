"""Which models read at a site, how, and how much of what came before them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from tasks.section import Section


class ModelSettings(Section):
    """One model of the site.

    Args:
        model: `name` (the registered current version, else the shipped one), `name@version`, or a path with a slash to a bundle's folder.
        variant: faster ways to run its network, joined by `+`; needs an equivalence report in the lake. `reference` has none.
        backfill: the most studies of earlier nights that a night reads with it besides its own; None sets no limit.
    """

    model: str = Field(min_length=1)
    variant: str = "reference"
    backfill: int | None = Field(default=None, ge=0)


class InferenceSettings(Section):
    """How studies are read.

    Args:
        models: each reads every study that it may be shown.
        device: where networks run.
        threads: of the processor, for one network; 1 gives the same bits on every machine of one kind, whatever its number of cores.
        ahead: studies that are prepared, or finished, while another is with its model: the bound of the queue, and of memory.
    """

    models: tuple[ModelSettings, ...] = (ModelSettings(model="demo_nodule"),)
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(default=1, ge=1, le=256)
    ahead: int = Field(default=1, ge=0, le=16)

    @model_validator(mode="before")
    @classmethod
    def _one_model(cls, said: Any) -> Any:
        """`model: NAME` is one model, and nothing special about it."""
        if isinstance(said, dict) and "model" in said and "models" not in said:
            return {**{key: value for key, value in said.items() if key != "model"}, "models": [said["model"]]}
        return said

    @field_validator("models", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [{"model": each} if isinstance(each, str) else each for each in value]
        return value

    @field_validator("models")
    @classmethod
    def _distinct(cls, value: tuple[ModelSettings, ...]) -> tuple[ModelSettings, ...]:
        if not value or len({each.model for each in value}) < len(value):
            raise ValueError("must be at least one, each of its own")
        return value

    def named(self, name: str) -> str | None:
        """How the site configures the model of a name: by it, or by the path of its bundle. Its only model where none is of that name."""
        from tasks.inference.bundle import load

        for each in self.models:
            if each.model.partition("@")[0] == name or ("/" in each.model and load(each.model).manifest.name == name):
                return each.model
        return self.models[0].model if len(self.models) == 1 else None
