"""Bad configuration: one clear sentence that says what to do."""

from importlib.resources import files
from pathlib import Path

import pytest

from tasks.errors import ConfigurationError
from tasks.settings import load

GOOD = "site: here\nvault: vault\nlake: lake\n"


@pytest.mark.parametrize(("content", "said"), [
    ("vault: v\nlake: l\n", "site is missing"),
    (GOOD + "lak: x\n", "lak is not a known setting"),
    (GOOD + "pacs: {host: h, port: many, ae_title: A}\n", "pacs.port input should be a valid integer"),
    (GOOD + "pacs: {host: h, port: 99999, ae_title: A}\n", "pacs.port input should be less than or equal to 65535"),
    (GOOD + "pacs: {host: h, port: 104, ae_title: ABCDEFGHIJKLMNOPQ}\n", "pacs.ae_title string should have at most 16 characters"),
    (GOOD + "timezone: Mars/Olympus\n", "timezone value error, is not a time zone"),
    (GOOD + "executor: {workers: 0}\n", "executor.workers input should be greater than or equal to 1"),
    ("site: [unclosed\n", "E-CONFIG-SYNTAX"),
    ("just words", "keys and values"),
])  # fmt: skip
def test_each_mistake_is_named_with_its_field(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "site.yaml").write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "site.yaml")
    assert said in str(caught.value)
    assert "configs/demo.yaml is a working example" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"E-CONFIG-MISSING.*nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(GOOD + "evaluation: {plan: plans/p.yaml}\n")
    settings = load(tmp_path / "site.yaml")
    assert settings.vault == tmp_path / "vault"
    assert settings.lake == str(tmp_path / "lake")
    assert settings.evaluation is not None
    assert settings.evaluation.plan == tmp_path / "plans" / "p.yaml"
    assert settings.ledger_url() == f"sqlite:///{tmp_path / 'vault' / 'ledger.db'}"


@pytest.mark.parametrize("name", ["demo.yaml", "site_example.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    load(Path(str(files("configs").joinpath(name))))
