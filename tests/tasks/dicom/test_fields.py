"""What `Fields` reads is what pydicom reads: over pydicom's own files, and over whatever may stand in a value."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.datadict import tag_for_keyword

from tasks.dicom import instances
from tasks.dicom.headers import count, number, numbers, word
from tasks.dicom.instances import Instance
from tasks.errors import SafelightError
from tests.tasks.deid.making import TEST_FILES, ct, encoded

NUMBERS = [
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "InstanceNumber",
    "NumberOfFrames",
]
WHOLE = ["Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PixelRepresentation", "NumberOfFrames"]
WORDS = [
    "Modality",
    "ImageType",
    "FrameOfReferenceUID",
    "PhotometricInterpretation",
    "SeriesDescription",
    "PatientName",
    "StudyDate",
    "PatientID",
    "ConvolutionKernel",
    "AccessionNumber",
]
FILES = sorted(path for path in TEST_FILES.rglob("*.dcm") if path.stat().st_size < 1 << 20)


def bare_word(header: Any, name: str) -> str | None:
    """A text without the padding of each of its values."""
    found = word(header, name)
    return found and ("\\".join(part.strip(" \0") for part in found.split("\\")) or None)


def agree(instance: Instance) -> None:
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        plain, theirs = instance.fields(), instance.light()
        for read, names in ((number, NUMBERS), (numbers, NUMBERS), (count, WHOLE), (bare_word, WORDS)):
            assert [read(plain, name) for name in names] == [read(theirs, name) for name in names], (read, names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TEST_FILES)))
def test_in_real_files(path: Path) -> None:
    try:
        instance = instances.read(path)
        instance.light()
    except SafelightError:
        pytest.skip("is refused before anything is asked of it")
    agree(instance)


TEXT = st.text(st.sampled_from("0123456789.+-eE _\\ nafi,²\0"), max_size=24)


@settings(max_examples=400, deadline=None)
@given(text=TEXT, name=st.sampled_from(["PixelSpacing", "ImageType", "InstanceNumber", "SliceThickness", "FrameOfReferenceUID"]))
def test_in_whatever_stands_in_a_value(text: str, name: str) -> None:
    content = encoded(ct())
    instance = instances.of_bytes(content)
    element = next(each for each in instance.head if each[0] == tag_for_keyword(name))
    value = text.encode("latin-1")
    content = content[: element[2]] + instance.encoding.element(element[0], element[1], value) + content[element[4] :]
    agree(instances.of_bytes(content))


def test_another_value_representation_is_left_to_pydicom() -> None:
    content = encoded(ct()).replace(b"\x28\0\x10\0US", b"\x28\0\x10\0SS")
    assert instances.of_bytes(content).fields().Rows == 4
    odd = encoded(ct()).replace(b"\x28\0\x10\0US", b"\x28\0\x10\0SL")
    with pytest.raises(Exception, match="length"):
        _ = instances.of_bytes(odd).fields().Rows
    with pytest.raises(AttributeError):
        _ = instances.of_bytes(content).fields().NumberOfFrames
