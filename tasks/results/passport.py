"""A study's passport: what results need of its originals, kept in the vault, so that results can be made when the spool is emptied.

`vault/results/<study key>/passport.json.gz`, 0600. It is identified: patient and study, and each image's name and place. It is made of the
spool the first time that a study's results are due, and made anew whenever the study has been pulled again.
"""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path

from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from tasks.errors import SafelightError
from tasks.results.headers import Headers, read
from tasks.vault import Vault, private_folder, write_private

_FORM = 1


def folder_of(vault: Vault, study_key: str) -> Path:
    """Where the vault keeps what belongs to a study's results."""
    return vault.root / "results" / study_key


def passport(vault: Vault, study_key: str, pulled: str) -> Headers:
    """A study's original headers by their SOPInstanceUIDs in the lake.

    Args:
        vault: whose spool, or whose passport of before.
        study_key: the study.
        pulled: what the study was when it came (the digest of the stage before de-identification): another makes a new passport.

    Raises:
        SafelightError: E-RETURN-SOURCES where there is neither a spool nor a passport.
    """
    path = folder_of(vault, study_key) / "passport.json.gz"
    kept = json.loads(gzip.decompress(path.read_bytes())) if path.exists() else None
    spooled = sorted((vault.spool / study_key).glob("*/*.dcm"))
    if kept is not None and kept["form"] == _FORM and (kept["pulled"] == pulled or not spooled):
        return {name: Dataset.from_json(said) for name, said in kept["images"].items()}
    if not spooled:
        raise SafelightError("E-RETURN-SOURCES", f"study {study_key}: neither in the spool nor in a passport")
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        found = {each.stem: _header(each, study_key) for each in spooled}
        images = {name: header.to_json_dict() for name, header in found.items()}
    content = json.dumps({"form": _FORM, "pulled": pulled, "images": images}, sort_keys=True).encode()
    private_folder(path.parent)
    fresh = path.with_suffix(".new")
    write_private(fresh, gzip.compress(content, 6, mtime=0))
    fresh.replace(path)
    # What is read back is what a later night will have: the same objects are made of both.
    return {name: Dataset.from_json(said) for name, said in images.items()}


def _header(path: Path, study_key: str) -> Dataset:
    try:
        return read(path)
    except (InvalidDicomError, OSError, ValueError, AttributeError):
        raise SafelightError("E-RETURN-SOURCES", f"study {study_key}: a file of the spool that cannot be read") from None
