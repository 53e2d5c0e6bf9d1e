"""Files that people write in YAML: found by path or by the name of one that is shipped, read, checked by their model, and told in one sentence where
they are wrong. The reader's and the model's own messages quote no value: somebody may have pasted what must not be shown."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tasks.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)


def found(path: Path | str, shipped: str, code: str) -> tuple[str, str, bytes]:
    """A file's name for messages, its name without ending, and its content: of a path, or of a name in a folder of `configs/`.

    Raises:
        ConfigurationError: of this code, where there is neither.
    """
    source = Path(path).expanduser()
    if source.is_file():
        return source.name, source.stem, read(source, code)
    entry = files("configs").joinpath(shipped, f"{path}.yaml")
    if "/" in str(path) or not entry.is_file():
        raise ConfigurationError(code, f"{source}: there is no such file")
    return source.name, str(path), entry.read_bytes()


def read(path: Path, code: str) -> bytes:
    """The content of a file; raise ConfigurationError of this code where it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(code, f"{path.name}: {type(error).__name__}") from None


def mapping(content: bytes | str, where: str, code: str) -> dict[str, Any]:
    """Keys and values of a file's content.

    Raises:
        ConfigurationError: of this code, with `where` and the line that is no YAML.
    """
    try:
        said = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is a day that no calendar has, or bytes that are no text
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigurationError(code, f"{where}{line}: it is not valid YAML") from None
    if not isinstance(said, dict):
        raise ConfigurationError(code, f"{where}: it must hold keys and values")
    return said


def checked(model: type[Model], said: dict[str, Any], where: str, code: str) -> Model:
    """What was written, as its model.

    Raises:
        ConfigurationError: of this code, with `where` and each field and what is wrong with it.
    """
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise ConfigurationError(code, f"{where}: {problems(error)}") from None


def problems(error: ValidationError) -> str:
    """What is wrong with each field of a file, in one line, without a value of it."""
    said = []
    for problem in error.errors(include_input=False, include_url=False):
        field = ".".join(str(part) for part in problem["loc"]) or "the whole"
        meaning = {"missing": "is missing", "extra_forbidden": "is not a known field"}.get(problem["type"], problem["msg"])
        meaning = meaning.removeprefix("Value error, ")
        said.append(f"{field} {meaning[0].lower()}{meaning[1:]}")
    return "; ".join(said)
