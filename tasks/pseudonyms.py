"""The lake's keys: made from the hospital's identifiers and the site's secret key, the same on any worker and any day.

Keyed (HMAC-SHA256), so that nobody outside can recompute or confirm them; stateless, so that nothing has to be looked up.
UIDs take the UUID-derived form of PS3.5 B.2 (`2.25.` and a 128-bit integer).
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Derives keys from the 32 bytes of `Vault.site_key()`. Its repr does not show them."""

    site_key: bytes = field(repr=False)

    def patient(self, issuer: str, patient_id: str) -> str:
        """`SL-` and 12 base32 characters (60 bits) for an issuer and a PatientID, both without surrounding spaces."""
        return "SL-" + base64.b32encode(self._mac("patient", f"{issuer.strip()}\n{patient_id.strip()}")).decode()[:12]

    def uid(self, uid: str) -> str:
        """`2.25.` and 128 bits for a UID; trailing padding (space, NUL) does not count."""
        stripped = uid.rstrip(" \0")
        return f"2.25.{int.from_bytes(self._mac('uid', stripped)[:16], 'big')}"

    def study(self, study_instance_uid: str) -> str:
        """The study's key everywhere: its new StudyInstanceUID."""
        return self.uid(study_instance_uid)

    def number(self, purpose: str, key: str) -> int:
        """64 bits that are a key's own for one purpose, such as the days by which a patient's dates are moved."""
        return int.from_bytes(self._mac(purpose, key)[:8], "big")

    def minted(self, thing: str) -> str:
        """A UID for something of ours that a study gets: the same for the same thing, and not to be told without the site key."""
        return f"2.25.{int.from_bytes(self._mac('minted', thing)[:16], 'big')}"

    def file(self, content_sha256: str) -> str:
        """A key for a file that states no UID of its own."""
        return f"2.25.{int.from_bytes(self._mac('file', content_sha256)[:16], 'big')}"

    def _mac(self, purpose: str, value: str) -> bytes:
        return hmac.new(self.site_key, f"{purpose}\n{value}".encode("utf-8", "surrogateescape"), sha256).digest()
