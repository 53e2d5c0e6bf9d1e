"""New UIDs for the hospital's, alike wherever they stand; those that the standard registers stay."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.deid.rules import Profile
from tasks.pseudonyms import Pseudonyms

_MOST_REMEMBERED = 100_000


@dataclass
class Uids:
    """Maps UIDs by one site's key (PS3.15 E.1.1, action U), and remembers them, since references repeat."""

    profile: Profile
    pseudonyms: Pseudonyms
    _known: dict[str, str] = field(default_factory=dict, repr=False)

    def __call__(self, uid: str) -> str:
        """The lake's UID for one of the hospital's, without padding; registered ones and empty ones stay."""
        known = self._known.get(uid)
        if known is None:
            bare = uid.strip(" \0")
            known = bare if not bare or self.profile.is_well_known(bare) else self.pseudonyms.uid(bare)
            if len(self._known) < _MOST_REMEMBERED:
                self._known[uid] = known
        return known
