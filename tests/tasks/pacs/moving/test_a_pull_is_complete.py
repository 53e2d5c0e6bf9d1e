"""What a complete pull leaves behind: every instance, byte for byte, under keys, and counts that balance."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from tasks.pacs.embedded.node import encoded_dataset
from tests.tasks.pacs.hospital import MRN, NAME, ROOT, Site, counts, fill, instance, save, serving


def test_every_instance_arrives_and_found_equals_pulled(site: Site, hospital: Path) -> None:
    fill(hospital, study=1)
    fill(hospital, study=2, series=1, per_series=5)
    with serving(hospital, site) as node:
        found = site.find(node.port)
        summary = site.pull(node.port)
    assert sum(study.instances for study in found) == 11
    assert summary.studies["done"] == 2
    assert counts(summary) == {("pulled", ""): 11}
    assert len(site.spooled()) == 11


def test_files_lie_under_keys_and_no_identifier_is_in_a_name(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        site.pull(node.port)
    expected = {
        site.vault.spool / site.key() / site.keys.uid(f"{ROOT}.1.{s}") / f"{site.keys.uid(f'{ROOT}.1.{s}.{n}')}.dcm"
        for s in (1, 2)
        for n in (1, 2, 3)
    }
    assert set(site.spooled()) == expected
    for path in site.vault.root.rglob("*"):
        assert not any(secret in path.name for secret in (NAME, MRN, ROOT, "ACC1"))


def test_the_spool_is_private_and_holds_nothing_half_done(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        site.pull(node.port)
    for path in site.vault.spool.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert [path.name for path in site.vault.spool.iterdir()] == [site.key()]


def test_a_second_pull_does_nothing_and_needs_no_port(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        site.pull(node.port)
        before = {path: path.stat().st_mtime_ns for path in site.spooled()}
        site.find(node.port)
        summary = site.pull(node.port)
    assert not summary.studies["done"]
    assert {path: path.stat().st_mtime_ns for path in site.spooled()} == before


def test_a_study_that_grows_is_due_again_and_replaces_the_earlier_pull(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        first = site.pull(node.port)
    save(instance(1, 2, 4), hospital, "late.dcm")
    before = site.ledger.results("pull")[site.key(), "pull"].output
    with serving(hospital, site) as node:
        site.find(node.port)
        second = site.pull(node.port)
    assert (counts(first), counts(second)) == ({("pulled", ""): 6}, {("pulled", ""): 7})
    assert len(site.spooled()) == 7
    assert site.ledger.results("pull")[site.key(), "pull"].output != before


def test_pulling_the_same_again_gives_the_same_output_and_the_same_bytes(site: Site, hospital: Path, tmp_path: Path) -> None:
    fill(hospital)
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other")
    (other.vault.root / "site.key").write_bytes(site.vault.site_key())
    other = Site(tmp_path / "other")
    for each in (site, other):
        with serving(hospital, each) as node:
            each.find(node.port)
            each.pull(node.port)
    assert site.ledger.results("pull")[site.key(), "pull"].output == other.ledger.results("pull")[site.key(), "pull"].output
    assert [path.read_bytes() for path in site.spooled()] == [path.read_bytes() for path in other.spooled()]


@pytest.mark.parametrize(
    "name",
    ["JPEG2000.dcm", "SC_rgb_rle.dcm", "MR_small_jpeg_ls_lossless.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm", "CT_small.dcm",
     "ExplVR_BigEnd.dcm", "rtplan.dcm", "test-SR.dcm"],
)  # fmt: skip
def test_whatever_the_transfer_syntax_the_data_set_arrives_byte_for_byte(site: Site, hospital: Path, name: str) -> None:
    source = Path(str(get_testdata_file(name, download=False)))
    (hospital / name).write_bytes(source.read_bytes())
    with serving(hospital, site) as node:
        assert node.refused == []
        site.find(node.port)
        summary = site.pull(node.port)
    assert counts(summary) == {("pulled", ""): 1}
    (arrived,) = site.spooled()
    assert encoded_dataset(arrived) == encoded_dataset(source)


def test_a_truncated_file_is_sent_and_kept_as_it_is(site: Site, hospital: Path) -> None:
    content = save(instance(), hospital, "cut.dcm").read_bytes()
    (hospital / "cut.dcm").write_bytes(content[:-9])
    with serving(hospital, site) as node:
        site.find(node.port)
        site.pull(node.port)
    (arrived,) = site.spooled()
    assert encoded_dataset(arrived) == encoded_dataset(hospital / "cut.dcm")


def test_a_retired_storage_class_is_taken(site: Site, hospital: Path) -> None:
    save(instance(SOPClassUID="1.2.840.10008.5.1.4.1.1.6"), hospital, "us.dcm")
    with serving(hospital, site) as node:
        site.find(node.port)
        assert counts(site.pull(node.port)) == {("pulled", ""): 1}
