"""The vault: the identified zone. Spool, quarantine, site key, ledger and error log live here, for the owner's eyes only.

Directories are 0700 and files 0600. Only `pull`, `deidentify`, `import` and the return of results may open a `Vault`; other
stages take a `Lake`. A vault that others can read is refused.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import ConfigurationError

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Vault:
    """A local folder of the identified zone. Make one with `Vault.open`."""

    root: Path

    @classmethod
    def open(cls, root: Path | str, *, create: bool = True) -> Vault:
        """Open the vault at `root`, making it (0700) where `create` allows.

        Raises:
            ConfigurationError: E-VAULT-MISSING, E-VAULT-EXPOSED (group or others may read or enter it), E-VAULT-UNWRITABLE.
        """
        path = Path(root).expanduser().absolute()
        if not path.exists():
            if not create:
                raise ConfigurationError("E-VAULT-MISSING", str(path))
            try:
                path.mkdir(parents=True, mode=0o700)
            except OSError:
                raise ConfigurationError("E-VAULT-UNWRITABLE", str(path)) from None
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError("E-VAULT-EXPOSED", str(path))
        if not path.is_dir() or not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigurationError("E-VAULT-UNWRITABLE", str(path))
        vault = cls(path)
        for folder in (vault.spool, vault.quarantine, vault.errors):
            folder.mkdir(mode=0o700, exist_ok=True)
        return vault

    @property
    def spool(self) -> Path:
        """What the PACS sent: `spool/<study key>/<series key>/<instance key>.dcm`."""
        return self.root / "spool"

    @property
    def quarantine(self) -> Path:
        """What could not be proven clean, with reasons: `quarantine/<study key>/`."""
        return self.root / "quarantine"

    @property
    def errors(self) -> Path:
        """The detailed error log: one file an error id."""
        return self.root / "errors"

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger that lives in this vault unless another is configured."""
        return f"sqlite:///{self.root / 'ledger.db'}"

    def site_key(self) -> bytes:
        """The 32 secret bytes from which all of the lake's keys are derived; made on first use.

        Losing it breaks the link between old and new exports; leaking it lets an outsider confirm a guessed PatientID.

        Raises:
            ConfigurationError: E-VAULT-KEY where the file is not 32 bytes.
        """
        path = self.root / "site.key"
        if not path.exists():
            fresh = self.root / f".site.key.{secrets.token_hex(8)}"
            write_private(fresh, secrets.token_bytes(_KEY_BYTES))
            try:
                os.link(fresh, path)  # fails if another process was first: its key wins
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        key = path.read_bytes()
        if len(key) != _KEY_BYTES:
            raise ConfigurationError("E-VAULT-KEY", str(path))
        return key


def private_folder(path: Path) -> Path:
    """Make `path` and its missing parents, each 0700, whatever the umask; return it."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Write `content` to a new or emptied file that only its owner may read (0600), and force it to disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
