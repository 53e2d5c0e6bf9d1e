"""Compressed frames are held to their standards: whatever belongs to no image is found, wherever it stands. Real encoders are the oracle."""

from __future__ import annotations

import struct
import warnings
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import RLELossless

from tasks.dicom import instances
from tasks.dicom.codestream import CodestreamError, check_rle, frames, segments
from tasks.errors import SafelightError
from tests.tasks.deid.making import TEST_FILES

#: A JP2 file in the place of a codestream, which PS3.5 A.4.4 does not allow.
JP2 = TEST_FILES / "GDCMJ2K_TextGBR.dcm"


def item(content: bytes) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content


def jpeg(**how: object) -> bytes:
    stream = BytesIO()
    Image.effect_noise((64, 48), 90).save(stream, "JPEG", **how)
    return stream.getvalue()


def jpeg_2000() -> bytes:
    return frames(dcmread(TEST_FILES / "MR_small_jp2klossless.dcm").PixelData, 1)[0]


def jpeg_ls() -> bytes:
    return frames(dcmread(TEST_FILES / "MR_small_jpeg_ls_lossless.dcm").PixelData, 1)[0]


def rle() -> bytes:
    return frames(dcmread(TEST_FILES / "MR_small_RLE.dcm").PixelData, 1)[0]


EVERY = {
    "jpeg": jpeg(),
    "progressive": jpeg(progressive=True),
    "restarts": jpeg(restart_marker_blocks=2),
    "ls": jpeg_ls(),
    "2000": jpeg_2000(),
}


def compressed() -> list[Path]:
    """pydicom's real files with encapsulated pixel data, by many encoders."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(set(TEST_FILES.glob("*.dcm")) - {JP2}):
            try:
                dataset = instances.read(path).whole()
            except SafelightError:
                continue
            if dataset.file_meta.TransferSyntaxUID.is_encapsulated and "PixelData" in dataset:
                found.append(path)
    return found


@pytest.mark.parametrize("path", compressed(), ids=lambda path: path.stem)
def test_real_files_are_taken_apart_as_pydicom_does(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = instances.read(path).whole()
        count = int(dataset.get("NumberOfFrames") or 1)
        found = frames(dataset.get_item(0x7FE00010).value, count)
        assert found == list(generate_frames(dataset.get_item(0x7FE00010).value, number_of_frames=count))
    for frame in found:
        if dataset.file_meta.TransferSyntaxUID == RLELossless:
            check_rle(frame, dataset.Rows * dataset.Columns)
        else:
            assert not any(b"Mustermann" in text for _, text in segments(frame))


def test_a_jp2_file_in_the_place_of_a_codestream_is_refused() -> None:
    with pytest.raises(CodestreamError):
        segments(frames(dcmread(JP2).PixelData, 1)[0])


@pytest.mark.parametrize("name", EVERY)
def test_padding_behind_the_end_is_fine_and_anything_else_is_not(name: str) -> None:
    frame = EVERY[name]
    assert segments(frame + b"\0") == segments(frame)
    for behind in (b"Mustermann", b"\0\0Mustermann\xff\xd9", frame):
        with pytest.raises(CodestreamError):
            segments(frame.rstrip(b"\0") + behind)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_an_image_that_is_cut_short_is_refused(name: str, part: float) -> None:
    frame = EVERY[name]
    with pytest.raises(CodestreamError):
        segments(frame[: int(len(frame) * part)])


@pytest.mark.parametrize("name", ["jpeg", "progressive", "restarts", "ls"])
@pytest.mark.parametrize("marker", [0xFE, 0xE0, 0xE1, 0xEF])
def test_a_comment_is_found_before_the_first_scan_and_before_the_end(name: str, marker: int) -> None:
    frame = EVERY[name].rstrip(b"\0")
    comment = struct.pack(">BBH", 0xFF, marker, 12) + b"Mustermann"
    for hidden in (frame[:2] + comment + frame[2:], frame[:-2] + comment + frame[-2:]):
        assert (marker, b"Mustermann") in segments(hidden)


def test_a_comment_between_two_scans_is_found() -> None:
    frame = EVERY["progressive"]
    second = frame.index(b"\xff\xda", frame.index(b"\xff\xda") + 2)
    hidden = frame[:second] + b"\xff\xfe\x00\x0cMustermann" + frame[second:]
    assert (0xFE, b"Mustermann") in segments(hidden)


def test_pillows_own_comment_is_found() -> None:
    assert (0xFE, b"Mustermann") in segments(jpeg(comment=b"Mustermann"))


def test_a_comment_in_a_tile_of_jpeg_2000_is_found() -> None:
    frame = jpeg_2000()
    start = frame.index(b"\xff\x90")
    data = frame.index(b"\xff\x93", start)
    comment = b"\xff\x64\x00\x0e\x00\x01Mustermann"
    length = struct.unpack(">L", frame[start + 6 : start + 10])[0]
    for stated in (length + len(comment) if length else 0, 0):
        head = frame[: start + 6] + struct.pack(">L", stated) + frame[start + 10 : data]
        assert (0x64, b"Mustermann") in segments(head + comment + frame[data:])


def test_bytes_between_the_tiles_and_the_end_of_jpeg_2000_are_refused() -> None:
    frame = jpeg_2000().rstrip(b"\0")
    assert struct.unpack(">L", frame[frame.index(b"\xff\x90") + 6 :][:4])[0], "this encoder states the tile's length"
    with pytest.raises(CodestreamError):
        segments(frame[:-2] + b"Mustermann" + frame[-2:])


@pytest.mark.parametrize("table", [b"", b"\0\0\0\0"])
def test_an_offset_table_may_be_empty_or_begin_with_0(table: bytes) -> None:
    assert frames(item(table) + item(b"\xff\xd8ab"), 1) == [b"\xff\xd8ab"]


@pytest.mark.parametrize("table", [b"John", b"\0\0\0\0John", b"\0\0\0\0\0\0\0\0", b"\0\0\0\0ab"])
def test_an_offset_table_that_is_a_message_is_refused(table: bytes) -> None:
    with pytest.raises(CodestreamError):
        frames(item(table) + item(b"\xff\xd8ab"), 1)


def test_fragments_are_joined_to_frames() -> None:
    one, two = jpeg(), jpeg(quality=20)
    value = encapsulate([one, two], fragments_per_frame=3, has_bot=False)
    joined = frames(value[: -8 if value.endswith(b"\xfe\xff\xdd\xe0\0\0\0\0") else None], 2)
    assert [frame.rstrip(b"\0") for frame in joined] == [one.rstrip(b"\0"), two.rstrip(b"\0")]


def test_a_fragment_before_the_first_image_is_refused() -> None:
    with pytest.raises(CodestreamError):
        frames(item(b"") + item(b"Mustermann") + item(jpeg()) + item(jpeg()), 2)


def test_rle_is_held_to_its_header() -> None:
    frame = rle()
    check_rle(frame, 64 * 64)
    check_rle(frame + b"\0\0", 64 * 64)
    count = struct.unpack("<L", frame[:4])[0]
    offsets = list(struct.unpack(f"<{count}L", frame[4 : 4 + 4 * count]))
    moved = struct.pack(f"<{count}L", *(offset + 10 for offset in offsets))
    for bad in (
        frame + b"Mustermann", frame[:40] + b"Mustermann" + frame[50:], frame[: len(frame) // 2], frame[:60],
        frame[:4] + moved + frame[4 + 4 * count : 64] + b"Mustermann" + frame[64:], b"\x40" + frame[1:], b"\0" + frame[1:],
    ):  # fmt: skip
        with pytest.raises(CodestreamError):
            check_rle(bad, 64 * 64)
