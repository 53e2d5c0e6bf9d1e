"""Holds a release back until the profile has been audited on the site's own series, and the audit has reached the configured floor."""

from __future__ import annotations

from tasks.deid.audit import findings
from tasks.errors import ConfigurationError
from tasks.vault import Vault


def require(vault: Vault, profile_digest: str, floor: float | None, revision: int | None = None) -> None:
    """Let de-identification begin, or say why not.

    Args:
        vault: where audits are kept.
        profile_digest: of the profile that would be applied, with everything it draws on (`configuration()["content"]` of the stage).
        floor: the configured floor of recall, from 0 to 1; None where none is configured: then nothing is asked for.
        revision: of the stage that would apply it; an audit of another revision is an audit of another program. None: of any.

    Raises:
        ConfigurationError: E-DEID-AUDIT-MISSING where no audit of this profile can be read; E-DEID-AUDIT-FLOOR where it lies under
            the floor (see `Findings.under`).
    """
    if floor is None:
        return
    found = findings.read(vault, profile_digest)
    if found is None or found.content != profile_digest or revision not in (None, found.revision):
        raise ConfigurationError("E-DEID-AUDIT-MISSING", f"profile digest {profile_digest[:12]}")
    under = found.under(floor)
    if under:
        raise ConfigurationError("E-DEID-AUDIT-FLOOR", f"floor {floor:.2%}; {'; '.join(under)}")
