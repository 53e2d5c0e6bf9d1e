"""An answer that cannot be read must not leave the others for the next question: series of one patient would be taken for another's."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import SafelightError
from tasks.pacs.asking.answers import series_identifier, text
from tasks.pacs.association import Requestor
from tasks.pacs.embedded.node import PacsNode
from tests.tasks.pacs.hospital import ROOT, Site, fill, serving


class Garbled(PacsNode):
    """Its first answer about the first study cannot be decoded."""

    def on_find(self, event: Any) -> Iterator[Any]:
        """Break it on its way out."""
        if str(event.identifier.get("StudyInstanceUID", "")) == f"{ROOT}.1":
            send, broken = event.assoc.dimse.send_msg, []

            def garble(message: Any, context: int) -> None:
                if message.Status == 0xFF00 and not broken:
                    broken.append(message)
                    message.Identifier = BytesIO(b"\x08\x00\x05\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff")
                send(message, context)

            event.assoc.dimse.send_msg = garble
        yield from super().on_find(event)


def test_after_an_answer_that_cannot_be_read_the_next_question_gets_its_own_answers(site: Site, hospital: Path) -> None:
    for study in (1, 2, 3):
        fill(hospital, study=study)
    with serving(hospital, site, Garbled) as node, Requestor(site.pacs(node.port)) as requestor:
        with pytest.raises(SafelightError, match="E-PULL-FIND-FAILED"):
            requestor.find(series_identifier(f"{ROOT}.1"))
        for study in (2, 3):
            answers = requestor.find(series_identifier(f"{ROOT}.{study}"))
            assert sorted(text(answer, "SeriesInstanceUID") for answer in answers) == [f"{ROOT}.{study}.1", f"{ROOT}.{study}.2"]
