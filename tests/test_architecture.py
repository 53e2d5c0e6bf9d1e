"""The walls stand: who may import Prefect, who may open the vault, and how long a module is."""

import ast
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import data_contracts
import tasks

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    found.name
    for package, prefix in ((tasks, "tasks."), (data_contracts, "data_contracts."))
    for found in pkgutil.walk_packages(package.__path__, prefix)
)
PURE = [name for name in MODULES if name.rsplit(".", 1)[-1] not in {"task", "cli"}]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_only_the_wrappers_import_prefect() -> None:
    code = f"import importlib, sys\nfor name in {PURE!r}: importlib.import_module(name)\nassert 'prefect' not in sys.modules, 'prefect'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_flows_do_no_work() -> None:
    for path in (ROOT / "flows").glob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & {
            "numpy",
            "pydicom",
            "pandas",
            "pyarrow",
            "torch",
            "SimpleITK",
        }, path


#: Those that may open the identified zone, and those that put the zones together.
VAULT_FOLDERS = {"pacs", "deid", "delivery", "results", "synthetic"}
VAULT_MODULES = {"site", "guard", "demo", "orchestrator", "vault", "cli", "doctor"}


def test_only_retrieval_deidentification_and_import_open_the_vault() -> None:
    for path in (ROOT / "tasks").rglob("*.py"):
        place = path.relative_to(ROOT / "tasks")
        if place.parts[0] in VAULT_FOLDERS or place.stem in VAULT_MODULES:
            continue
        assert "tasks.vault.Vault" not in imports(path), path


def test_every_module_says_what_it_is_for_and_is_short() -> None:
    for folder in ("tasks", "flows", "data_contracts"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            if text.strip():
                assert ast.get_docstring(ast.parse(text)), path
            assert len(text.splitlines()) <= 460, path


@pytest.mark.parametrize("folder", ["tasks", "flows", "data_contracts"])
def test_no_error_is_swallowed(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{path}:{node.lineno} catches everything without a name"
                broad = isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
                assert not (broad and all(isinstance(line, ast.Pass) for line in node.body)), f"{path}:{node.lineno}"


def test_one_module_writes_parquet_and_few_use_it() -> None:
    """The lake writes through contracts, `compact` what the lake has, and an evaluation its tables with the types of its parts."""
    users = {"tasks/lake.py", "tasks/compact/writing.py", "tasks/evaluation/output.py", "tasks/evaluation/command.py"}
    for path in (ROOT / "tasks").rglob("*.py"):
        using = {name for name in imports(path) if name.startswith("tasks.parquet")}
        assert not using or path.relative_to(ROOT).as_posix() in users, path
        if path != ROOT / "tasks" / "parquet.py":
            assert not re.search(r"pq\.write_table|\.to_parquet\(|ParquetWriter", path.read_text("utf-8")), path
