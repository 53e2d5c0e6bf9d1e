"""Commands whose modules are imported when they are called: a command starts without what the others need.

Help is read from the source, so that a list of commands costs no import either.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class DeferredCommand(TyperCommand):
    """Stands for a Typer command until it is called.

    Args:
        name: of the command.
        place: `module:function`.
    """

    def __init__(self, name: str, place: str) -> None:
        self._module, self._function = place.split(":")
        super().__init__(name, help=_docstring(self._module, self._function))

    def loaded(self) -> Any:
        """The command itself."""
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
        alone.command(self.name)(getattr(import_module(self._module), self._function))
        return typer.main.get_command(alone)

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        """The context of the command itself: all that follows happens there."""
        return self.loaded().make_context(*arguments, **named)


def deferring(places: Mapping[str, str]) -> type[TyperGroup]:
    """The class of a Typer group with further commands, in their order after its own: name to `module:function`."""

    class Deferring(TyperGroup):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            for name, place in places.items():
                self.add_command(DeferredCommand(name, place))

    return Deferring


def _docstring(module: str, function: str) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    found = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return cleandoc(ast.get_docstring(found) or "")
