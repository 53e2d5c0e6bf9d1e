"""What only people can say of a release: its licence, who made it, where it is, and what it is meant for."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tasks import written
from tasks.section import Section

#: Stands in the card and in the manifest wherever nobody has said anything.
NOT_STATED = "not stated"


class About(Section):
    """The facts of a release that no table holds. What is left out is shown as not stated."""

    title: str | None = None
    description: str | None = None
    #: A licence's SPDX identifier (`CC-BY-4.0`), or the URL of a licence or of a data use agreement.
    licence: str | None = None
    #: The institution that made the data set.
    creator: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    citation: str | None = None
    intended_use: str | None = None
    #: What it must not be used for, and what is known to be wrong with it.
    limitations: str | None = None

    def licence_url(self) -> str:
        """The licence as a URL, where there is one."""
        if self.licence is None or "://" in self.licence:
            return self.licence or NOT_STATED
        return f"https://spdx.org/licenses/{self.licence}"


def load_about(path: Path | None) -> About:
    """The facts from a YAML file; none for none.

    Raises:
        ConfigurationError: E-RELEASE-ABOUT with what is wrong with the file.
    """
    if path is None:
        return About()
    said = written.mapping(written.read(path, "E-RELEASE-ABOUT"), path.name, "E-RELEASE-ABOUT")
    return written.checked(About, said, path.name, "E-RELEASE-ABOUT")
