"""DCMTK's storescu sends to the receiver, plainly and over TLS, with certificates made as the documentation says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.receiving.receiver import Receiver
from tasks.pacs.settings import ReceiverSettings, TlsSettings
from tasks.pseudonyms import Pseudonyms
from tests.peers import programs
from tests.tasks.pacs.hospital import ROOT, fill, free_port

pytestmark = pytest.mark.peer("storescu")

ENGINES = ("direct", "pynetdicom")
SUBJECTS = {"authority": "/CN=Hospital DICOM authority", "safelight": "/CN=safelight", "pacs": "/CN=pacs"}


def make_certificates(folder: Path) -> Path:
    """An authority, and a certificate for us and one for the PACS, by the commands of docs/pacs.md."""
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run([str(programs.find("openssl")), *arguments], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "rsa:3072", "-nodes")
    openssl(
        "req", "-x509", *new, "-days", "3650", "-subj", SUBJECTS["authority"], "-keyout", "authority.key", "-out", "authority.pem"
    )
    for name in ("safelight", "pacs"):
        openssl("req", *new, "-subj", SUBJECTS[name], "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
            "-days", "825", "-out", f"{name}.pem",
        )  # fmt: skip
    return folder


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    """One study."""
    return Intake(f"{ROOT}.1", tmp_path / "spool" / "study", tmp_path / "conflicts", Pseudonyms(b"k" * 32))


@pytest.fixture
def desk(tmp_path: Path, intake: Intake) -> Iterator[Desk]:
    """It is expected."""
    (tmp_path / "spool").mkdir(mode=0o700)
    made = Desk(tmp_path / "spool")
    with made.expecting(intake):
        yield made


def send(port: int, files: list[Path], *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """By storescu."""
    command = [str(programs.find("storescu")), *options, "-aet", "PACS", "-aec", "SAFELIGHT", "127.0.0.1", str(port)]
    return subprocess.run(
        [*command, *map(str, files)], check=False, capture_output=True, text=True, timeout=60, env=environment or None
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_what_storescu_sends_arrives_byte_for_byte(tmp_path: Path, desk: Desk, intake: Intake, engine: str) -> None:
    fill(tmp_path / "files", per_series=4)
    files = sorted((tmp_path / "files").iterdir())
    with Receiver(ReceiverSettings(port=free_port(), engine=engine), desk) as receiver:
        done = send(receiver.port, files)
    assert done.returncode == 0, done.stderr
    arrived = [dcmread(path) for path in intake.folder.rglob("*.dcm")]
    sent = {original.SOPInstanceUID: original for original in map(dcmread, files)}
    assert len(arrived) == len(sent) == len(intake.received)
    assert all(each == sent[each.SOPInstanceUID] for each in arrived)
    assert not intake.refused
    assert not desk.strays


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "option"), [("JPEG2000.dcm", "-xw"), ("MR_small_RLE.dcm", "-xr"), ("image_dfl.dcm", "-xd")])
def test_compressed_and_deflated_images_arrive_as_they_are(tmp_path: Path, engine: str, name: str, option: str) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    original = dcmread(path)
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    desk, intake = Desk(spool), Intake(original.StudyInstanceUID, spool / "study", tmp_path / "x", Pseudonyms(b"k" * 32))
    with desk.expecting(intake), Receiver(ReceiverSettings(port=free_port(), engine=engine), desk) as receiver:
        done = send(receiver.port, [path], option)
    assert done.returncode == 0, done.stderr
    (arrived,) = map(dcmread, intake.folder.rglob("*.dcm"))
    assert arrived.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    assert arrived.PixelData == original.PixelData


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("engine", ENGINES)
def test_storescu_sends_over_tls_with_certificates_of_one_authority(
    tmp_path: Path, desk: Desk, intake: Intake, engine: str
) -> None:
    own = make_certificates(tmp_path / "tls")
    fill(tmp_path / "files")
    files = sorted((tmp_path / "files").iterdir())
    tls = TlsSettings(certificate=own / "safelight.pem", key=own / "safelight.key", authority=own / "authority.pem")
    theirs = ("+tls", str(own / "pacs.key"), str(own / "pacs.pem"), "+cf", str(own / "authority.pem"))
    foreign = make_certificates(tmp_path / "foreign")
    strange = ("+tls", str(foreign / "pacs.key"), str(foreign / "pacs.pem"), "+cf", str(own / "authority.pem"))
    with Receiver(ReceiverSettings(port=free_port(), engine=engine, tls=tls), desk) as receiver:
        assert send(receiver.port, files, *strange).returncode != 0
        assert send(receiver.port, files, "+tla", "+cf", str(own / "authority.pem")).returncode != 0
        assert send(receiver.port, files).returncode != 0
        assert not intake.received
        done = send(receiver.port, files, *theirs)
        assert done.returncode == 0, done.stderr
        echo = [str(programs.find("echoscu")), *theirs, "-aet", "PACS", "-aec", "SAFELIGHT", "127.0.0.1", str(receiver.port)]
        subprocess.run(echo, check=True, capture_output=True, timeout=60)
    assert len(intake.received) == len(files) == len(list(intake.folder.rglob("*.dcm")))
    assert desk.strays == {"E-PULL-STRANGER": 3}


def test_storescu_is_told_that_its_title_is_not_on_the_list(tmp_path: Path, desk: Desk, intake: Intake) -> None:
    fill(tmp_path / "files")
    with Receiver(ReceiverSettings(port=free_port(), allow_ae_titles=("ARCHIVE",)), desk) as receiver:
        done = send(receiver.port, sorted((tmp_path / "files").iterdir()))
    assert done.returncode != 0
    assert "Calling AE Title Not Recognized" in done.stderr
    assert not intake.received
