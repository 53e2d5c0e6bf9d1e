"""The turn of returning: what is sent in which mode, what a PACS that refuses or goes away does, and what is left in lake and vault."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from data_contracts.accountability import CONTRACT
from tasks import accountability
from tasks.errors import ConfigurationError
from tasks.executor import Summary
from tasks.pacs.server import listen
from tasks.pacs.settings import PacsSettings
from tasks.results.batch import return_batch
from tasks.results.policy import ReturnsSettings
from tasks.results.sender import STORAGE
from tests.ports import free_port
from tests.tasks.results import made
from tests.tasks.results.made import Ward
from tests.tasks.results.makes import answered, settings


def settings_for(pacs: PacsSettings, **changes: Any) -> ReturnsSettings:
    """Settings that send to a PACS."""
    said = settings(pacs.port, **changes)
    return said.model_copy(update={"node": said.node.model_copy(update={"ae_title": pacs.ae_title})})


def returned(ward: Ward, said: ReturnsSettings, **more: Any) -> Summary:
    """One turn."""
    with ward.ledger.run("return") as run:
        return return_batch(
            said, [ward.key], vault=ward.vault, lake=ward.lake, ledger=ward.ledger, run=run, errors=ward.errors, **more
        )  # fmt: skip


@dataclass
class Archive:
    """A PACS of a test's making: what it answers, and what it took."""

    status: int = 0x0000
    commitment: str = ""
    classes: tuple[str, ...] = STORAGE
    taken: list[Dataset] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    def on_store(self, event: Any) -> int:
        """Keep, or refuse."""
        if self.status == 0x0000:
            self.taken.append(event.dataset)
        return self.status

    def on_action(self, event: Any) -> tuple[int, None]:
        """Take a request; report on the same association, after a while, as the archive is told to."""
        import threading

        asked = event.action_information
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        items = list(asked.ReferencedSOPSequence)
        if self.commitment == "fails":
            for item in items[:1]:
                item.FailureReason = 0x0110
            report.FailedSOPSequence, items = items[:1], items[1:]
        report.ReferencedSOPSequence = items
        kind = 2 if self.commitment == "fails" else 1

        def tell() -> None:
            event.assoc.send_n_event_report(report, kind, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")

        if self.commitment != "silent":
            threading.Timer(0.2, tell).start()
        return 0x0000, None

    @contextmanager
    def serving(self) -> Iterator[Archive]:
        """Listen."""
        contexts = [build_context(uid) for uid in (Verification, *self.classes)]
        if self.commitment:
            contexts.append(build_context(StorageCommitmentPushModel))
        handlers = [(evt.EVT_C_STORE, self.on_store), (evt.EVT_N_ACTION, self.on_action)]
        with listen(AE(ae_title="ARCHIVE"), ("127.0.0.1", self.port), contexts, handlers):
            yield self


def test_triage_sends_nothing_and_is_done(ward: Ward) -> None:
    answered(ward, "detection")
    with Archive().serving() as archive:
        summary = returned(ward, settings(archive.port, modes={}))
    assert archive.taken == []
    assert summary.units == Counter({("withheld", "E-RETURN-TRIAGE", "study"): 1})
    assert summary.studies == Counter(done=1)
    assert not ward.lake.files("results")
    assert (ward.vault.root / "results" / ward.key / "passport.json.gz").exists()


def test_a_second_reader_waits_for_the_first_read_and_sends_no_overlay(ward: Ward) -> None:
    answered(ward, "segmentation")
    with Archive().serving() as archive:
        said = settings(archive.port, modes={"segmentation_model": "second_reader"})
        waiting = returned(ward, said)
        assert (waiting.studies["postponed"], archive.taken) == (1, [])
        assert returned(ward, said, final=lambda key: key == ward.key).units == Counter({("stored", "", "object"): 1})
    assert [each.Modality for each in archive.taken] == ["SR"]


def test_copies_are_published_in_the_lake(ward: Ward) -> None:
    answered(ward, "detection")
    with Archive().serving() as archive:
        returned(ward, settings(archive.port))
    published = ward.lake.manifest("return:detection_model@1.0.0", ward.key)
    assert published is not None
    assert ward.lake.intact(published)
    assert ward.lake.root is not None
    copies = [dcmread(ward.lake.root / name) for name in published.files]
    assert sorted(each.Modality for each in copies) == ["PR", "SR"]
    folder = f"results/{ward.volume['PatientID']}/{ward.key}/detection_model/1.0.0"
    assert all(name.startswith(folder) for name in published.files)
    content = b"".join(path.read_bytes() for path in ward.lake.root.rglob("*") if path.is_file())
    names = "".join(str(path) for path in ward.lake.root.rglob("*"))
    for secret in (*made.SECRETS, *(str(each.SOPInstanceUID) for each in archive.taken)):
        assert secret.encode() not in content, secret
        assert secret not in names


def test_an_unread_study_is_told_only_where_the_site_wants_it(wards: Callable[[str], Ward]) -> None:
    for name, unread in (("quiet", False), ("told", True)):
        site = wards(name)
        made.read(site, made.model(site.lake, "detection"), reason="E-INFER-KERNEL")
        with Archive().serving() as archive:
            summary = returned(site, settings(archive.port, unread=unread))
        assert len(archive.taken) == int(unread)
        expected = ("stored", "", "object") if unread else ("withheld", "E-RETURN-UNREAD", "study")
        assert summary.units == Counter({expected: 1})


def test_a_refusal_is_counted_and_only_what_was_refused_is_sent_again(ward: Ward) -> None:
    answered(ward, "segmentation")
    without = tuple(uid for uid in STORAGE if uid != STORAGE[0])
    archive = Archive(classes=without)
    with archive.serving():
        first = returned(ward, settings(archive.port))
    assert first.units == Counter({("stored", "", "object"): 1, ("refused", "E-RETURN-UNSUPPORTED", "object"): 1})
    assert first.studies["failed"] == 1
    full = Archive(port=archive.port, status=0xA700)
    with full.serving():
        assert returned(ward, settings(full.port)).units["refused", "E-RETURN-REFUSED", "object"] == 1
    healed = Archive(port=archive.port)
    with healed.serving():
        last = returned(ward, settings(healed.port))
    assert [each.Modality for each in healed.taken] == ["SR"]
    assert last.units == Counter({("unchanged", "", "object"): 1, ("stored", "", "object"): 1})
    assert last.studies["done"] == 1


def test_a_pacs_that_is_away_postpones_and_uses_no_attempt(ward: Ward) -> None:
    answered(ward, "classification")
    for _ in range(4):  # more often than a failure may be tried
        assert returned(ward, settings(free_port())).studies == Counter(postponed=1)
    with Archive().serving() as archive:
        # Another port is another place: the study is due in any case.
        assert returned(ward, settings(archive.port)).studies["done"] == 1


@pytest.mark.parametrize(("how", "outcome", "code"), [
    ("keeps", "committed", ""), ("fails", "refused", "E-RETURN-NOT-COMMITTED"), ("silent", "refused", "E-RETURN-NO-COMMITMENT"),
])  # fmt: skip
def test_commitment_on_the_same_association(ward: Ward, how: str, outcome: str, code: str) -> None:
    answered(ward, "classification")
    archive = Archive(commitment=how)
    with archive.serving():
        said = settings(archive.port, commitment={"ask": "required", "wait_s": 1.5})
        summary = returned(ward, said)
        assert summary.units == Counter({(outcome, code, "object"): 1})
        if code:
            archive.commitment = "keeps"
            assert returned(ward, said).units == Counter({("committed", "", "object"): 1})
            # Where it did not say that it keeps an object it is sent again; where it was silent it is only asked again.
            assert len(archive.taken) == (2 if how == "fails" else 1)
        assert not returned(ward, said).units


def test_commitment_that_is_required_and_not_offered_stops(ward: Ward) -> None:
    answered(ward, "classification")
    with Archive().serving() as archive:
        summary = returned(ward, settings(archive.port, commitment={"ask": "required"}))
        assert summary.failures[f"{ward.key} return:classification_model@1.0.0"].reason_code == "E-RETURN-UNSUPPORTED"


def test_a_port_that_is_taken_is_a_sentence(ward: Ward) -> None:
    answered(ward, "classification")
    with Archive().serving() as archive, pytest.raises(ConfigurationError, match="E-RETURN-PORT"):
        returned(ward, settings(archive.port, commitment={"listen": {"port": archive.port}}))


def test_the_same_again_sends_nothing_and_another_answer_replaces(ward: Ward) -> None:
    manifest = answered(ward, "classification")
    with Archive().serving() as archive:
        returned(ward, settings(archive.port))
        made.read(ward, manifest, score=0.8)  # read again, with the same answer
        same = returned(ward, settings(archive.port))
        assert not same.units["stored", "", "object"]
        assert len(archive.taken) == 1
        made.read(ward, manifest, score=0.3)
        returned(ward, settings(archive.port))
        first, second = archive.taken
        (study,) = second.PredecessorDocumentsSequence
        (series,) = study.ReferencedSeriesSequence
        assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
        # The study has come again with our own objects in it: nothing new is to be said.
        made.done(ward.ledger, "pull", ward.key, _pulled("q"), inputs="again")
        once_more = returned(ward, settings(archive.port))
        assert once_more.units == Counter({("unchanged", "", "object"): 1})


def test_a_corrected_patient_is_sent_anew(ward: Ward) -> None:
    answered(ward, "classification")
    with Archive().serving() as archive:
        returned(ward, settings(archive.port))
        for path in ward.originals():
            image = dcmread(path)
            image.PatientName = "Corrected^Ottilie"
            image.save_as(path)
        made.done(ward.ledger, "pull", ward.key, _pulled("r"), inputs="corrected")
        returned(ward, settings(archive.port))
    assert [str(each.PatientName) for each in archive.taken] == ["Rönnblom^Ottilie", "Corrected^Ottilie"]


def test_a_withdrawn_reading_takes_its_copies_along(ward: Ward) -> None:
    answered(ward, "classification")
    with Archive().serving() as archive:
        returned(ward, settings(archive.port))
        assert ward.lake.files("results")
        with ward.ledger.run("test") as run:
            assert ward.ledger.claim("infer:classification_model@1.0.0", ward.key, "", run)
            ward.ledger.forget("infer:classification_model@1.0.0", ward.key, run)
        returned(ward, settings(archive.port))
    assert not ward.lake.files("results")
    assert not [label for _, label in ward.ledger.results() if label.startswith("return:")]


def test_an_object_that_breaks_its_template_is_not_sent(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.results import objects

    whole = objects.report

    def broken(*arguments: Any) -> Dataset:
        found = whole(*arguments)
        del found.ContentSequence[-1].ContentSequence[0].ContentSequence[1]  # the tracking UID
        return found

    monkeypatch.setattr(objects, "report", broken)
    answered(ward, "classification")
    with Archive().serving() as archive:
        summary = returned(ward, settings(archive.port))
    assert archive.taken == []
    assert not ward.lake.files("results")
    assert [each.reason_code for each in summary.failures.values()] == ["E-RETURN-INVALID"]


def test_a_copy_with_an_original_value_is_neither_published_nor_sent(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.results import stage

    def leaking(lake: Any, key: str, wanted: Any) -> Any:
        found = dict(kept(lake, key, wanted))
        for header in found.values():
            header.AccessionNumber = "ACC-90210"
        return found

    kept = stage.lake_headers
    monkeypatch.setattr(stage, "lake_headers", leaking)
    answered(ward, "classification")
    with Archive().serving() as archive:
        summary = returned(ward, settings(archive.port))
    assert archive.taken == []
    assert not ward.lake.files("results")
    assert [each.reason_code for each in summary.failures.values()] == ["E-RETURN-RESIDUE"]


def test_the_spool_may_be_emptied_after_the_first_turn(ward: Ward) -> None:
    answered(ward, "detection")
    with Archive().serving() as archive:
        returned(ward, settings(archive.port, modes={}))
        shutil.rmtree(ward.vault.spool / ward.key)
        assert returned(ward, settings(archive.port)).units == Counter({("stored", "", "object"): 2})


def test_the_vault_alone_holds_what_identifies(ward: Ward, capfd: pytest.CaptureFixture[str]) -> None:
    answered(ward, "detection")
    with Archive(status=0xC123).serving() as archive:
        summary = returned(ward, settings(archive.port))
    shown = "".join(capfd.readouterr()) + repr(summary)
    errors = "".join(path.read_text() for path in Path(ward.vault.errors).iterdir())
    assert "0xC123" in errors
    for secret in made.SECRETS:
        assert secret not in shown
    for path in (ward.vault.root / "results").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def _pulled(letter: str) -> Any:
    from tasks.stage import Outcome

    return Outcome("done", output=letter * 64, passed=made.SLICES)


def test_our_own_objects_are_no_images_of_a_study(ward: Ward) -> None:
    """A study that was pulled again has our segmentation in it: what was not read is told of the images that were taken."""
    from tasks.results.objects import is_source

    manifest = answered(ward, "segmentation")
    with Archive().serving() as archive:
        returned(ward, settings(archive.port))
    assert [is_source(each) for each in archive.taken] == [False, False]
    assert all(is_source(dcmread(path, stop_before_pixels=True)) for path in ward.originals())
    assert manifest.head.kind == "segmentation"


def test_another_pacs_gets_the_same_objects(ward: Ward) -> None:
    answered(ward, "detection")
    with Archive().serving() as first, Archive().serving() as second:
        returned(ward, settings(first.port))
        returned(ward, settings(second.port))
    assert [each.SOPInstanceUID for each in first.taken] == [each.SOPInstanceUID for each in second.taken]
    assert [each.to_json() for each in first.taken] == [each.to_json() for each in second.taken]


def test_what_became_of_the_objects_is_accounted_for(ward: Ward) -> None:
    manifest = answered(ward, "detection")
    with Archive().serving() as archive:
        returned(ward, settings(archive.port))

    def said() -> list[tuple[str, str, int]]:
        found = [row for row in accountability.rows(ward.ledger) if row["stage"] == "return:detection_model@1.0.0"]
        CONTRACT.validate(found)
        return [(row["outcome"], row["unit"], row["n"]) for row in found]

    assert said() == [("stored", "object", 2)]
    made.read(ward, manifest, score=0.7, boxes=(made.box(0.7),))  # read anew: what was returned is of another reading
    assert said() == [("waiting", "study", 1)]
