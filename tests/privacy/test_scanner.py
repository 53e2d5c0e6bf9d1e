"""The scanner finds a deliberate leak of every kind: a privacy test that could not fail would be worth nothing."""

import base64
import gzip
import sqlite3
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typst
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pypdf import PdfWriter
from pypdf.generic import StreamObject

from tests.privacy.scanner import Scanner

NAME, MRN = "Müller^Ånn-Sofie", "0042-7719"
SCANNER = Scanner([NAME, MRN, "Doe"])


def dicom(path: Path, **change: object) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.SpecificCharacterSet = "ISO_IR 100"
    inner = Dataset()
    inner.PatientID = "SL-AAAAAAAAAAAA"
    dataset.OtherPatientIDsSequence = [inner]
    for keyword, value in change.items():
        setattr(inner if keyword == "IssuerOfPatientID" else dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)


def leak_dicom_text(folder: Path) -> None:
    dicom(folder / "a.dcm", PatientComments="seen for müller ånn-sofie")


def leak_dicom_nested(folder: Path) -> None:
    dicom(folder / "a.dcm", IssuerOfPatientID=MRN)


def leak_dicom_preamble(folder: Path) -> None:
    dicom(folder / "a.dcm")
    content = (folder / "a.dcm").read_bytes()
    (folder / "a.dcm").write_bytes(MRN.encode().ljust(128, b"\0") + content[128:])


def leak_dicom_trailing(folder: Path) -> None:
    dicom(folder / "a.dcm")
    (folder / "a.dcm").write_bytes((folder / "a.dcm").read_bytes() + MRN.encode("utf-16-le"))


def leak_parquet_value(folder: Path) -> None:
    pq.write_table(pa.table({"note": ["for DOE"]}), folder / "a.parquet")


def leak_parquet_metadata(folder: Path) -> None:
    pq.write_table(pa.table({"n": [1]}).replace_schema_metadata({"from": MRN}), folder / "a.parquet")


def leak_nifti(folder: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    image.header["descrip"] = MRN.encode()
    nibabel.save(image, folder / "a.nii.gz")


def leak_json(folder: Path) -> None:
    (folder / "a.json").write_text('{"name": "MULLER ANN-SOFIE"}')


def leak_html(folder: Path) -> None:
    (folder / "a.html").write_text("<p>M&uuml;ller <b>Ånn</b>-Sofie</p>", "utf-8")


def leak_pdf(folder: Path) -> None:
    (folder / "a.typ").write_text("A report on Doe.")
    typst.compile(folder / "a.typ", output=folder / "a.pdf")
    (folder / "a.typ").unlink()


def leak_pdf_title(folder: Path) -> None:
    (folder / "a.typ").write_text(f'#set document(title: "{MRN}")\nNothing here.')
    typst.compile(folder / "a.typ", output=folder / "a.pdf")
    (folder / "a.typ").unlink()


def leak_docx(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.docx", "w") as archive:
        archive.writestr("docProps/core.xml", f"<creator>{MRN}</creator>")


def leak_pdf_attachment(folder: Path) -> None:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.add_attachment("a.txt", MRN.encode() * 50)
    writer.compress_identical_objects()
    for held in writer._objects:
        each = held.get_object() if held is not None else None
        if isinstance(each, StreamObject) and each.get("/Type") == "/EmbeddedFile":
            writer._replace_object(held.indirect_reference, each.flate_encode())
    writer.write(folder / "a.pdf")
    assert MRN.encode() not in (folder / "a.pdf").read_bytes()


def leak_figure_in_a_page(folder: Path) -> None:
    drawing = base64.b64encode(f"<svg><desc>{MRN}</desc></svg>".encode()).decode()
    (folder / "a.html").write_text(f'<img alt="" src="data:image/svg+xml;base64,{drawing}">')


def leak_picture(folder: Path) -> None:
    said = PngInfo()
    said.add_text("Comment", MRN, zip=True)
    Image.new("L", (2, 2)).save(folder / "a.png", pnginfo=said)
    assert MRN.encode() not in (folder / "a.png").read_bytes()


def leak_database(folder: Path) -> None:
    database = sqlite3.connect(folder / "prefect.db")
    database.execute("CREATE TABLE log (message TEXT)")
    database.execute("INSERT INTO log VALUES ('pulled Doe')")
    database.commit()
    database.close()


def leak_log(folder: Path) -> None:
    (folder / "flow.log").write_text(f"cannot read {MRN}")


def leak_file_name(folder: Path) -> None:
    (folder / f"{MRN}.txt").write_text("")


def leak_compressed(folder: Path) -> None:
    (folder / "a.nii.gz").write_bytes(gzip.compress(MRN.encode()))


LEAKS = [value for name, value in sorted(globals().items()) if name.startswith("leak_")]


@pytest.mark.peer("pdftotext")
@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_deliberate_leak_is_found(leak, tmp_path: Path) -> None:
    leak(tmp_path)
    assert len(SCANNER.search(tmp_path)) == 1


def test_clean_files_are_found_clean(tmp_path: Path) -> None:
    dicom(tmp_path / "a.dcm", PatientComments="nothing, though the word doeskin is near")
    (tmp_path / "b.json").write_text('{"key": "SL-AAAAAAAAAAAA"}')
    assert SCANNER.search(tmp_path) == {}
