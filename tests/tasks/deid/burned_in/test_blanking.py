"""Blanking changes the boxes and nothing else, in every form of pixels; decoders that are not ours say so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from tasks.deid.burned_in import blanking
from tasks.deid.burned_in.blanking import blank
from tasks.deid.burned_in.box import Box
from tasks.errors import SafelightError
from tests.tasks.deid.burned_in.images import SHAPE, TEXT, dataset, ground, saved, with_text
from tests.tasks.deid.making import TEST_FILES

INSIDE = np.zeros(SHAPE, bool)
INSIDE[TEXT.slices()] = True


def values(dtype: str, top: float, low: float = 0.0) -> Any:
    return np.rint(with_text() * (top - low) + low).astype(dtype)


def colour(dtype: str = "u1") -> Any:
    return np.stack([np.rint(with_text(seed) * (np.iinfo(dtype).max)).astype(dtype) for seed in range(3)], -1)


def blanked(made: FileDataset, boxes: Any = (TEXT,)) -> FileDataset:
    """The image with its new pixel data; the old one as it was."""
    before = made.PixelData
    value = blank(made, boxes)
    assert made.PixelData == before
    made.PixelData = value
    made["PixelData"].is_undefined_length = made.file_meta.TransferSyntaxUID.is_encapsulated
    return made


FORMS: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "8 bit": (values("u1", 255), {}, "least"),
    "10 of 16 bit": (values("u2", 1023), {"bits": 10}, "least"),
    "16 bit signed": (values("i2", 3000, -1024), {}, "least"),
    "12 of 16 bit signed": (values("i2", 2000, -1024), {"bits": 12}, "least"),
    "32 bit": (values("u4", 2**31), {}, "least"),
    "MONOCHROME1": (values("u2", 4095), {"bits": 12, "photometric": "MONOCHROME1"}, "most"),
    "RGB": (colour(), {"photometric": "RGB"}, (0, 0, 0)),
    "RGB by plane": (colour(), {"photometric": "RGB", "planar": 1}, (0, 0, 0)),
    "RGB 16 bit": (colour("u2"), {"photometric": "RGB"}, (0, 0, 0)),
    "YBR_FULL": (colour(), {"photometric": "YBR_FULL"}, (0, 128, 128)),
    "YBR_FULL by plane": (colour(), {"photometric": "YBR_FULL", "planar": 1}, (0, 128, 128)),
}


def allowed(form: str, syntax: str) -> bool:
    """What PS3.5 section 8.2 lets a compressed syntax hold, as pydicom's encoders have it."""
    return syntax == "native" or not (form == "32 bit" or (syntax == JPEG2000Lossless and form.startswith("YBR")))


SYNTAXES = ("native", RLELossless, JPEG2000Lossless, JPEGLSLossless)
CASES = [(form, syntax) for form in FORMS for syntax in SYNTAXES if allowed(form, syntax)]


@pytest.mark.parametrize(("form", "syntax"), CASES)
def test_inside_of_the_box_is_black_and_the_rest_is_as_it_was(form: str, syntax: str, tmp_path: Path) -> None:
    pixels, said, black = FORMS[form]
    made = dataset(pixels, **said)
    if syntax != "native":
        made.compress(syntax, generate_instance_uid=False)
    original = dcmread(saved(made, tmp_path / "before.dcm"))
    before = original.pixel_array if "YBR" not in form else raw(original)
    after_file = dcmread(saved(blanked(original), tmp_path / "after.dcm"))
    after = after_file.pixel_array if "YBR" not in form else raw(after_file)
    assert np.array_equal(after[~INSIDE], before[~INSIDE])
    outside = before[~INSIDE]
    expected = {"least": outside.min(), "most": outside.max()}.get(black, black) if isinstance(black, str) else black
    assert (after[INSIDE] == np.array(expected)).all()
    assert (before[INSIDE] != np.array(expected)).any()
    assert after_file.file_meta.TransferSyntaxUID == made.file_meta.TransferSyntaxUID


def raw(made: FileDataset) -> Any:
    from pydicom.pixels.utils import pixel_array

    return pixel_array(made, raw=True)


def test_signs_of_fewer_bits_than_allocated_are_read_at_bits_stored() -> None:
    """12 bits with zeros above them: -1 is stored as 4095, and the least value is the most negative, not 0."""
    made = dataset(np.full(SHAPE, 5, "i2"), bits=12)
    pixels = np.full(SHAPE, 5, "u2")
    pixels[0, 0], pixels[0, 1] = 0xF00, 0x7FF
    made.PixelData = pixels.tobytes()
    after = np.frombuffer(blank(made, [TEXT]), "u2").reshape(SHAPE)
    assert (after[TEXT.slices()] == 0xF00).all()


def test_a_palettes_darkest_colour_is_black() -> None:
    made = dataset(values("u1", 255), photometric="PALETTE COLOR")
    ramp = np.linspace(65535, 0, 256).astype("<u2").tobytes()
    for name in ("Red", "Green", "Blue"):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{name}PaletteColorLookupTableData", ramp)
    assert (np.frombuffer(blank(made, [TEXT]), "u1").reshape(SHAPE)[TEXT.slices()] == 255).all()


def test_halved_colour_is_blanked_by_pairs_of_columns() -> None:
    original = dcmread(TEST_FILES / "SC_ybr_full_422_uncompressed.dcm")
    before = raw(dcmread(TEST_FILES / "SC_ybr_full_422_uncompressed.dcm"))
    after = raw(blanked(original, [Box(11, 20, 50, 40)]))
    expected = before.copy()
    expected[20:40, 10:50] = (0, 128, 128)
    assert np.array_equal(after, expected)
    assert not np.array_equal(before, expected)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_native_syntaxes(syntax: str, tmp_path: Path) -> None:
    pixels = values("u2", 4095)
    made = dataset(pixels.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2"), bits=12)
    made.file_meta.TransferSyntaxUID = syntax
    dcmwrite(tmp_path / "a.dcm", made, enforce_file_format=True)
    after = blanked(dcmread(tmp_path / "a.dcm")).pixel_array
    assert np.array_equal(after[~INSIDE], pixels[~INSIDE])
    assert (after[INSIDE] == pixels[~INSIDE].min()).all()


@pytest.mark.parametrize("syntax", ["native", RLELossless, JPEG2000Lossless, JPEG2000, JPEGLSLossless, JPEGLSNearLossless])
def test_frames_without_a_box_keep_their_bytes(syntax: str) -> None:
    pixels = np.stack([np.rint(with_text(seed) * 4000).astype("u2") for seed in range(4)])
    made = dataset(pixels, bits=12)
    if syntax != "native":
        made.compress(
            {JPEG2000: JPEG2000Lossless, JPEGLSNearLossless: JPEGLSLossless}.get(syntax, syntax), generate_instance_uid=False
        )
        made.file_meta.TransferSyntaxUID = syntax
    before = pieces(made)
    after = pieces(blanked(made, {1: [TEXT], 3: [Box(0, 0, 1, 1)], 2: []}))
    assert [one == two for one, two in zip(before, after, strict=True)] == [True, False, True, False]
    shown = made.pixel_array
    assert np.array_equal(shown[[0, 2]], pixels[[0, 2]])
    assert np.array_equal(shown[1][~INSIDE], pixels[1][~INSIDE])
    assert np.ptp(shown[1][INSIDE]) == 0


def pieces(made: FileDataset) -> list[bytes]:
    if made.file_meta.TransferSyntaxUID.is_encapsulated:
        return list(generate_frames(made.PixelData, number_of_frames=4))
    size = len(made.PixelData) // 4
    return [made.PixelData[number * size : (number + 1) * size] for number in range(4)]


def test_a_frame_that_jpeg_ls_had_lost_something_of_loses_no_more() -> None:
    """Near-lossless with an error of up to 3: what is decoded before and after is the same outside of the box."""
    made = dataset(values("u2", 4095), bits=12)
    made.compress(JPEGLSNearLossless, jls_error=3, generate_instance_uid=False)
    before = made.pixel_array.copy()
    assert 0 < np.abs(before.astype(int) - values("u2", 4095)).max() <= 3
    after = blanked(made).pixel_array
    assert np.array_equal(after[~INSIDE], before[~INSIDE])
    assert np.ptp(after[INSIDE]) == 0


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jpeg_dcmtk.dcm"])
def test_what_cannot_be_written_again_without_loss_is_refused(name: str) -> None:
    with pytest.raises(SafelightError, match="E-DEID-BLANK-LOSSY"):
        blank(dcmread(TEST_FILES / name), [Box(0, 0, 4, 4)])


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_an_encoder_that_changes_a_pixel_is_seen(syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dataset(values("u2", 4095), bits=12)
    made.compress(syntax, generate_instance_uid=False)
    honest = blanking._encoded

    def lossy(dataset: Any, frame: Any, photometric: str) -> bytes:
        changed = frame.copy()
        changed[-1, -1] ^= 1
        return honest(dataset, changed, photometric)

    blank(made, [TEXT])
    monkeypatch.setattr(blanking, "_encoded", lossy)
    with pytest.raises(SafelightError, match="E-DEID-BLANK-LOSSY"):
        blank(made, [TEXT])


@pytest.mark.peer("storescu")
@pytest.mark.parametrize("syntax", [RLELossless, "native"])
def test_dcmtk_sees_the_same_as_pydicom(syntax: str, tmp_path: Path) -> None:
    made = dataset(np.rint(ground() * 4000).astype("u2"), bits=12)
    if syntax == RLELossless:
        made.compress(RLELossless, generate_instance_uid=False)
    path = saved(blanked(made), tmp_path / "a.dcm")
    subprocess.run([shutil.which("dcmdrle") or "dcmdrle", str(path), str(tmp_path / "b.dcm")], check=True, timeout=60)
    assert np.array_equal(dcmread(tmp_path / "b.dcm").pixel_array, dcmread(path).pixel_array)


@pytest.mark.peer("storescu")
@pytest.mark.parametrize("form", ["8 bit", "10 of 16 bit", "16 bit signed", "MONOCHROME1", "RGB"])
def test_dcmtks_jpeg_ls_is_blanked_and_read_by_dcmtk_as_by_pydicom(form: str, tmp_path: Path) -> None:
    """Encoded by dcmcjpls, blanked here, decoded by dcmdjpls."""
    pixels, said, _ = FORMS[form]
    before = saved(dataset(pixels, **said), tmp_path / "a.dcm")
    subprocess.run([shutil.which("dcmcjpls") or "dcmcjpls", str(before), str(tmp_path / "b.dcm")], check=True, timeout=60)
    compressed = dcmread(tmp_path / "b.dcm")
    assert compressed.file_meta.TransferSyntaxUID == JPEGLSLossless
    path = saved(blanked(compressed), tmp_path / "c.dcm")
    subprocess.run([shutil.which("dcmdjpls") or "dcmdjpls", str(path), str(tmp_path / "d.dcm")], check=True, timeout=60)
    after = dcmread(tmp_path / "d.dcm").pixel_array
    assert np.array_equal(after, dcmread(path).pixel_array)
    assert np.array_equal(after[~INSIDE], pixels[~INSIDE])
    assert np.ptp(after[INSIDE].reshape(-1, 3 if form == "RGB" else 1), axis=0).max() == 0


@pytest.mark.peer("storescu")
def test_jpeg_lossless_has_no_encoder_here_and_is_refused(tmp_path: Path) -> None:
    path = saved(dataset(values("u2", 4095), bits=12), tmp_path / "a.dcm")
    subprocess.run([shutil.which("dcmcjpeg") or "dcmcjpeg", str(path), str(tmp_path / "b.dcm")], check=True, timeout=60)
    compressed = dcmread(tmp_path / "b.dcm")
    assert compressed.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    with pytest.raises(SafelightError, match="E-DEID-BLANK-LOSSY"):
        blank(compressed, [TEXT])
