"""UIDs of results: derived from what they are about and what they say, so that the same result is the same object on any day.

Under the hospital's identity a UID is `2.25.` and 128 bits of HMAC-SHA256(site key, …) (PS3.5 B.2). In the lake it is that UID's own
pseudonym: the same as if the object had been pulled back from the PACS and de-identified.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.pseudonyms import Pseudonyms


@dataclass(frozen=True)
class Identity:
    """Mints the UIDs of one study's results by one model.

    Args:
        pseudonyms: of the site.
        study_instance_uid: the original one.
        model: `name@version`.
        in_lake: whether UIDs are those of the lake's copies.
    """

    pseudonyms: Pseudonyms
    study_instance_uid: str
    model: str
    in_lake: bool

    def uid(self, what: str, *of: str) -> str:
        """The UID of a thing: what it is (`report`, `series`, `tracking`), and what tells it from others of its kind."""
        return self.mapped(self.pseudonyms.minted("\n".join((self.study_instance_uid, self.model, what, *of))))

    def device(self) -> str:
        """The UID of this installation, as the observer of its reports."""
        return self.mapped(self.pseudonyms.minted("device"))

    def mapped(self, uid: str) -> str:
        """A UID of ours under this identity."""
        return self.pseudonyms.uid(uid) if self.in_lake else uid
