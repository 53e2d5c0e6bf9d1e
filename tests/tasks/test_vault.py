"""The vault: for its owner's eyes only."""

import os
from pathlib import Path

import pytest

from tasks.errors import ConfigurationError
from tasks.vault import Vault, private_folder, write_private


def test_everything_in_a_new_vault_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        vault = Vault.open(tmp_path / "vault")
        vault.site_key()
        write_private(vault.errors / "x.txt", b"x")
        private_folder(vault.spool / "a" / "b")
    finally:
        os.umask(before)
    for path in [vault.root, *vault.root.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701])
def test_a_vault_that_others_can_enter_is_refused(tmp_path: Path, mode: int) -> None:
    Vault.open(tmp_path / "vault")
    (tmp_path / "vault").chmod(mode)
    with pytest.raises(ConfigurationError, match=r"E-VAULT-EXPOSED.*chmod"):
        Vault.open(tmp_path / "vault")


def test_the_site_key_is_made_once_and_a_damaged_one_is_not_replaced(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "vault")
    key = vault.site_key()
    assert len(key) == 32
    assert Vault.open(tmp_path / "vault").site_key() == key
    (tmp_path / "vault" / "site.key").write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="E-VAULT-KEY"):
        vault.site_key()


def test_a_missing_vault_is_not_made_where_that_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="E-VAULT-MISSING"):
        Vault.open(tmp_path / "vault", create=False)
    assert not (tmp_path / "vault").exists()
