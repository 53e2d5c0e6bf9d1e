"""The stage `deidentify`: one study from the vault's spool into the lake, instance by instance, each released or quarantined with a reason.

Nothing is published before the whole study has been read: its identifiers are collected from every instance, also from those that are
held back, and every header that is about to be released is searched for all of them. Until then its files wait in the vault.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydicom import config as pydicom_config

from tasks.deid import quarantine, records
from tasks.deid.drafts import waiting
from tasks.deid.recipes import load_with
from tasks.deid.rules import Profile
from tasks.deid.study import StudyWork
from tasks.deid.words import standard
from tasks.errors import ConfigurationError, SafelightError
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Outcome, tally
from tasks.vault import Vault


@dataclass(frozen=True)
class DeidentifyStage:
    """De-identifies one study.

    Args:
        profile: a name of `configs/profiles/`, or a path to a profile.
        recipe: a path to a site's own recipe in the `deid` package's format, which may only be stricter; none where empty.
        audit_floor: the recall that an audit of the site's own series must have found before anything is released.
    """

    name: ClassVar[str] = "deidentify"
    upstream: ClassVar[str | None] = "pull"
    revision: ClassVar[int] = 5

    vault: Vault
    lake: Lake
    profile: str
    recipe: str = ""
    audit_floor: float | None = None

    def label(self) -> str:
        """The ledger's name of this stage."""
        return self.name

    def configuration(self) -> dict[str, Any]:
        """The profile with everything that it draws on, as a digest."""
        profile, literals = rules_of(self.profile, self.recipe)
        made = {"profile": profile.name, "edition": profile.edition, "content": profile.digest, "words": standard().digest}
        return made | ({"literals": sorted(literals.items())} if literals else {})

    def require(self) -> None:
        """See that the work may begin at all.

        Raises:
            ConfigurationError: E-DEID-PROFILE, E-DEID-RECIPE; E-DEID-AUDIT-MISSING or E-DEID-AUDIT-FLOOR where the site asks for an audit of
                this very profile and there is none, or it found too little.
        """
        profile, _ = rules_of(self.profile, self.recipe)
        if "retain_uids" in profile.options:
            raise ConfigurationError("E-DEID-PROFILE", "retain_uids: the lake's keys are the new UIDs")
        if self.audit_floor is not None:
            from tasks.deid.audit import gate  # the audit runs this stage itself

            gate.require(self.vault, profile.digest, self.audit_floor, self.revision)

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the spool is the input
        """De-identify one study.

        Raises:
            ConfigurationError: as `require`.
            SafelightError: E-DEID-SPOOL-EMPTY where the study's files are gone: what is in the lake stays as it is.
        """
        self.require()
        spool = self.vault.spool / study_key
        paths = sorted(spool.glob("*/*.dcm"))
        if not paths:
            raise SafelightError("E-DEID-SPOOL-EMPTY", f"study {study_key}")
        profile, literals = rules_of(self.profile, self.recipe)
        work = StudyWork(profile, Pseudonyms(self.vault.site_key()), study_key, ErrorLog(self.vault.errors), literals=literals)
        with (
            self.lake.publication(self.label(), study_key, fingerprint) as publication,
            waiting(self.vault) as drafts,
            _lenient(),
        ):
            for path in paths:
                work.survey(path)
            work.judge()
            work.draft(drafts)
            work.prove()
            for draft in work.drafts.values():
                publication.adopt(draft.lake_path, draft.file, draft.sha256, forced=True)
            records.write(publication, work)
            counts = tally(("quarantined" if code else "released", code, "instance") for code in work.ends.values())
            held = {instance: code for instance, code in work.ends.items() if code}
            quarantine.write(self.vault, study_key, held, tuple(sorted(work.residue)))
            manifest = publication.commit(tally=counts, passed=len(work.drafts))
        return Outcome("done", output=manifest.digest, passed=len(work.drafts), tally=counts)

    def withdraw(self, study_key: str) -> None:
        """Take the study out of the lake, and its list out of the quarantine."""
        self.lake.withdraw(self.label(), study_key)
        quarantine.write(self.vault, study_key, {})


@cache
def rules_of(profile: str, recipe: str = "") -> tuple[Profile, dict[int, str]]:
    """A profile with a site's recipe on top, and the texts that the recipe writes, by tag.

    Raises:
        ConfigurationError: E-DEID-PROFILE, E-DEID-RECIPE.
    """
    return load_with(profile, Path(recipe) if recipe else None)


@contextmanager
def _lenient() -> Iterator[None]:
    """Read what other systems wrote without complaint: what matters is checked here, and pydicom's warnings hold values."""
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield
