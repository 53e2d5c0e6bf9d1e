"""Frames come out as their headers say: types, order, what stands beside values in their cells, colour; and what can't be an image is none."""

import os
import warnings
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread, uid
from pydicom.pixels import apply_color_lut, convert_color_space

from tasks.dicom.instances import read
from tasks.errors import SafelightError
from tasks.volumes.decoding import FrameSource, blocks
from tests.tasks.volumes.encoded import LOSSLESS, colours, compressed, dataset, decoded, picture, taken_apart

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


def series(folder: Path, forms: list[str], n: int = 1) -> list[FrameSource]:
    """Single-frame files of these forms, each `n` times."""
    sources = []
    for number, form in enumerate(forms * n):
        path = folder / f"{number}.dcm"
        dataset(picture(form, number), form).save_as(path, enforce_file_format=True)
        sources.append(FrameSource(read(path).trimmed()))
    return sources


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(7)), block_bytes=st.sampled_from([1, 4000, 8100, 1 << 24]))
def test_blocks_hold_the_frames_in_the_order_given_whatever_their_size(
    tmp_path_factory, order: list[int], block_bytes: int
) -> None:
    frames = np.stack([picture("i16", seed) for seed in range(7)])
    source = taken_apart(dataset(frames, "i16"), tmp_path_factory.mktemp("order"))
    found = list(blocks([FrameSource(source, number) for number in order], block_bytes=block_bytes))
    assert np.array_equal(np.concatenate([block.values for block in found]), frames[order])
    assert all(block.values.nbytes <= max(block_bytes, frames[0].nbytes) and block.values.flags.c_contiguous for block in found)


@pytest.mark.parametrize(("forms", "dtype"), [
    (["u8", "u16"], "u2"), (["i8", "u8"], "i2"), (["u16", "i16"], "i4"), (["i12", "u12"], "i4"), (["u12", "u16"], "u2"), (["i8", "i16"], "i2"),
])  # fmt: skip
def test_frames_of_different_depth_and_sign_get_a_type_that_holds_all(forms: list[str], dtype: str, tmp_path: Path) -> None:
    sources = series(tmp_path, forms, 2)
    found = list(blocks(sources, block_bytes=1))
    assert {block.values.dtype for block in found} == {np.dtype(dtype)}
    for number, block in enumerate(found):
        assert np.array_equal(block.values[0], picture(forms[number % 2], number))


def test_native_and_compressed_frames_may_stand_side_by_side(tmp_path: Path) -> None:
    sources = series(tmp_path, ["u12"], 3)
    frame = LOSSLESS[uid.JPEGLSLossless](picture("u12", 9), "u12")
    sources.insert(1, FrameSource(taken_apart(compressed([frame], dataset(picture("u12"), "u12"), uid.JPEGLSLossless), tmp_path)))
    [block] = blocks(sources)
    assert np.array_equal(block.values, np.stack([picture("u12", seed) for seed in (0, 9, 1, 2)]))


def test_frames_of_different_matrix_are_no_stack(tmp_path: Path) -> None:
    sources = series(tmp_path, ["u8"])
    sources.append(FrameSource(taken_apart(dataset(picture("u8", rows=39), "u8"), tmp_path)))
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        list(blocks(sources))


# Bits beside the value -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless])
@pytest.mark.parametrize("form", ["u12", "i12"])
def test_an_overlay_in_the_high_bits_is_taken_off_and_said(form: str, syntax: str, tmp_path: Path) -> None:
    pixels = picture(form)
    drawn = pixels.view("u2") & 0x0FFF
    drawn[10:20, 10:20] |= 0x8000
    made = dataset(drawn, form)
    if syntax == uid.RLELossless:
        made.compress(uid.UID(syntax), generate_instance_uid=False)
    block = decoded(made, tmp_path)
    assert np.array_equal(block.values[0], pixels)
    assert block.masked


@pytest.mark.parametrize("above", ["signs", "zeros"])
def test_repeated_signs_and_zeros_above_a_value_are_nothing_beside_it(above: str, tmp_path: Path) -> None:
    pixels = picture("i12")
    cells = pixels if above == "signs" else (pixels.view("u2") & 0x0FFF)
    block = decoded(dataset(cells, "i12"), tmp_path)
    assert np.array_equal(block.values[0], pixels)
    assert not block.masked


@settings(max_examples=60, deadline=None)
@given(
    stored=st.integers(1, 16), shift=st.integers(0, 15), signed=st.integers(0, 1), seed=st.integers(0, 99), dirty=st.booleans()
)
def test_values_stand_where_high_bit_says(tmp_path_factory, stored: int, shift: int, signed: int, seed: int, dirty: bool) -> None:
    """A value of `stored` bits at bit `shift`, and all other bits zero or anything (PS3.5 section 8.1.1): against whole numbers of Python."""
    shift = min(shift, 16 - stored)
    rng = np.random.default_rng(seed)
    bits = [int(value) for value in rng.integers(0, 1 << stored, 12)]
    mask = ((1 << stored) - 1) << shift
    beside = [int(value) & ~mask & 0xFFFF if dirty else 0 for value in rng.integers(0, 1 << 16, 12)]
    cells = np.array([value << shift | other for value, other in zip(bits, beside, strict=True)], "<u2").reshape(3, 4)
    made = dataset(cells, "u16", BitsStored=stored, HighBit=stored + shift - 1, PixelRepresentation=signed)
    block = decoded(made, tmp_path_factory.mktemp("bits"))
    wanted = [value - (1 << stored) if signed and value >> (stored - 1) else value for value in bits]
    assert block.values.ravel().tolist() == wanted
    if not dirty and (not signed or shift):
        assert not block.masked
    if any(other and not (signed and wanted[place] < 0) for place, other in enumerate(beside)):
        assert block.masked


DEEPER = [syntax for syntax in LOSSLESS if syntax != uid.RLELossless]


@pytest.mark.parametrize("syntax", DEEPER)
def test_a_codestream_deeper_than_its_header_is_an_image_only_where_its_values_fit(syntax: str, tmp_path: Path) -> None:
    """Some writers compress whole cells of 16 bits: then the codestream says 16, the header 12."""
    low = picture("u12").astype("u2")
    block = decoded(compressed([LOSSLESS[syntax](low, "u16")], dataset(low, "u12"), syntax), tmp_path)
    assert np.array_equal(block.values[0], low)
    high = low.copy()
    high[0, 0] = 4096
    with pytest.raises(SafelightError, match="E-VOLUME-BITS"):
        decoded(compressed([LOSSLESS[syntax](high, "u16")], dataset(high, "u12"), syntax), tmp_path)


@pytest.mark.parametrize("syntax", DEEPER)
def test_a_sign_in_a_codestream_deeper_than_its_header_is_kept(syntax: str, tmp_path: Path) -> None:
    pixels = picture("i12")
    block = decoded(compressed([LOSSLESS[syntax](pixels, "i16")], dataset(pixels, "i12"), syntax), tmp_path)
    assert np.array_equal(block.values[0], pixels)


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_sign_that_cannot_be_told_is_no_image(syntax: str, tmp_path: Path) -> None:
    """Samples of 12 bits without sign under a header of 16 bits with sign: the uppermost bit may be the sign, or not."""
    small = picture("u12") >> 1
    block = decoded(compressed([LOSSLESS[syntax](small, "u12")], dataset(small, "i16"), syntax), tmp_path)
    assert np.array_equal(block.values[0], small)
    with pytest.raises(SafelightError, match="E-VOLUME-BITS"):
        decoded(compressed([LOSSLESS[syntax](picture("u12"), "u12")], dataset(small, "i16"), syntax), tmp_path)


def test_a_negative_value_under_a_header_without_sign_is_no_image(tmp_path: Path) -> None:
    frame = LOSSLESS[uid.JPEG2000Lossless](picture("i16"), "i16")
    with pytest.raises(SafelightError, match="E-VOLUME-BITS"):
        decoded(compressed([frame], dataset(picture("u16"), "u16"), uid.JPEG2000Lossless), tmp_path)


@pytest.mark.parametrize("change", [
    {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, {"BitsAllocated": 12}, {"BitsAllocated": 24}, {"BitsStored": 0}, {"BitsStored": 17},
    {"HighBit": 16}, {"HighBit": 10}, {"PixelRepresentation": 2}, {"BitsAllocated": 64},
])  # fmt: skip
def test_layouts_of_bits_that_are_not_understood_are_refused(change: dict, tmp_path: Path) -> None:
    with pytest.raises(SafelightError, match="E-VOLUME-BITS"):
        decoded(dataset(picture("u12"), "u12", **change), tmp_path)


def test_big_endian_of_32_bits_is_refused_because_writers_turn_it_by_two_bytes_or_by_four(tmp_path: Path) -> None:
    made = dataset(np.zeros((4, 5), ">u4"), "u16", BitsAllocated=32, BitsStored=32, HighBit=31)
    made.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    made["PixelData"].VR = "OW"
    with pytest.raises(SafelightError, match="E-VOLUME-BITS"):
        decoded(made, tmp_path)


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (4, 5), (5, 3)])
def test_big_endian_of_single_bytes_is_turned_by_pairs_where_it_says_words(rows: int, columns: int, tmp_path: Path) -> None:
    """PS3.5 section 8.1.1; pydicom writes and reads it in the same way (`be_swap_ow`)."""
    frames = np.stack([picture("u8", seed, rows, columns) for seed in range(3)])
    plain = frames.tobytes() + b"\0" * (frames.nbytes % 2)
    made = dataset(frames, "u8")
    made.PixelData = np.frombuffer(plain, "u2").byteswap().tobytes()
    made["PixelData"].VR = "OW"
    made.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    source = taken_apart(made, tmp_path)
    found = np.concatenate([block.values for block in blocks([FrameSource(source, number) for number in (2, 0, 1)])])
    assert np.array_equal(found, frames[[2, 0, 1]])


# Length and files ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("surplus", "fits"), [
    (b"", True), (b"\0", True), (b"\x07" * 4, True), (b"\0" * 300, True), (b"\x07" * 80, False), (b"\x07" * 300, False), (bytes(4000), False),
])  # fmt: skip
def test_bytes_behind_the_last_pixel_are_padding_or_prove_that_the_matrix_is_another(
    surplus: bytes, fits: bool, tmp_path: Path
) -> None:
    made = dataset(picture("u16"), "u16")
    made.PixelData += surplus + b"\0" * (len(surplus) % 2)
    if fits:
        assert np.array_equal(decoded(made, tmp_path).values[0], picture("u16"))
    else:
        with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
            decoded(made, tmp_path)


@pytest.mark.parametrize("change", [
    {"Rows": 41}, {"Columns": 49}, {"Rows": 0}, {"NumberOfFrames": 2}, {"PixelData": b""}, {"PixelData": bytes(3998)}, {"Rows": None},
    {"PixelData": None}, {"SamplesPerPixel": 3}, {"SamplesPerPixel": None}, {"SamplesPerPixel": 2},
])  # fmt: skip
def test_pixels_that_are_not_of_the_stated_size_are_no_image(change: dict, tmp_path: Path) -> None:
    made = dataset(picture("u16"), "u16")
    for keyword, value in change.items():
        if value is None and keyword != "SamplesPerPixel":
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        decoded(made, tmp_path)


def test_floating_point_pixels_are_no_stored_values(tmp_path: Path) -> None:
    made = dataset(picture("u16"), "u16", BitsAllocated=32, BitsStored=32, HighBit=31)
    del made.PixelData
    made.FloatPixelData = np.zeros((40, 50), "<f4").tobytes()
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        decoded(made, tmp_path)


@pytest.mark.parametrize("number", [-1, 1, 99])
def test_there_is_no_frame_but_those_stated(number: int, tmp_path: Path) -> None:
    source = taken_apart(dataset(picture("u16"), "u16"), tmp_path)
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        list(blocks([FrameSource(source, number)]))


@pytest.mark.parametrize("table", ["none", "basic", "extended"])
@pytest.mark.parametrize("stated", [2, 4])
def test_more_or_fewer_compressed_frames_than_stated_are_none(stated: int, table: str, tmp_path: Path) -> None:
    frames = np.stack([picture("u8", seed) for seed in range(3)])
    encoded = [LOSSLESS[uid.JPEGLSLossless](frame, "u8") for frame in frames]
    made = compressed(encoded, dataset(frames, "u8"), uid.JPEGLSLossless, table=table)
    made.NumberOfFrames = stated
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        list(blocks([FrameSource(taken_apart(made, tmp_path), 0)]))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEGLSLossless])
@pytest.mark.parametrize("way", ["shorter", "later", "other"])
def test_a_file_that_changed_since_it_was_taken_apart_is_not_read(way: str, syntax: str, tmp_path: Path) -> None:
    pixels = picture("u16", rows=300, columns=400)
    made = dataset(pixels, "u16")
    if syntax == uid.JPEGLSLossless:
        made = compressed([LOSSLESS[syntax](pixels, "u16")], made, syntax)
    source = taken_apart(made, tmp_path).bare()
    [block] = blocks([FrameSource(source)])
    assert np.array_equal(block.values[0], pixels)
    if way == "shorter":
        os.truncate(source.path, source.size - 1000)
    elif way == "later":
        os.utime(source.path, ns=(0, 0))
    else:
        content = source.path.read_bytes()
        source.path.unlink()
        (tmp_path / "new").write_bytes(content)
        (tmp_path / "new").rename(source.path)
    with pytest.raises(SafelightError, match="E-DEID-CHANGED"):
        list(blocks([FrameSource(source)]))


def test_a_file_that_is_gone_is_the_machines_fault(tmp_path: Path) -> None:
    source = taken_apart(dataset(picture("u16", rows=300, columns=400), "u16"), tmp_path)
    source.path.unlink()
    with pytest.raises(FileNotFoundError):
        list(blocks([FrameSource(source)]))


# Colour, and real files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_by_pixel_and_by_plane_comes_out_by_pixel(planar: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3)).astype("u1")
    made = colours(pixels, PlanarConfiguration=planar)
    made.PixelData = (pixels.transpose(2, 0, 1) if planar else pixels).tobytes() + b"\0"
    assert np.array_equal(decoded(made, tmp_path).values[0], pixels)


def test_luminance_and_chrominance_become_rgb(tmp_path: Path) -> None:
    """PS3.3 C.7.6.3.1.2: white, black, and red of full strength."""
    ybr = np.array([[[255, 128, 128], [0, 128, 128], [76, 85, 255]]], "u1")
    values = decoded(colours(ybr, "YBR_FULL"), tmp_path).values[0]
    assert np.abs(values.astype(int) - [[[255, 255, 255], [0, 0, 0], [254, 0, 0]]]).max() <= 1


def test_chrominance_of_two_pixels_at_once_is_spread_over_both(tmp_path: Path) -> None:
    """PS3.3 C.7.6.3.1.2: Y1, Y2, CB, CR."""
    made = colours(np.zeros((1, 4, 3), "u1"), "YBR_FULL_422")
    made.PixelData = bytes([255, 0, 128, 128, 76, 76, 85, 255])
    whole = np.array([[[255, 128, 128], [0, 128, 128], [76, 85, 255], [76, 85, 255]]], "u1")
    assert np.array_equal(decoded(made, tmp_path).values[0], convert_color_space(whole, "YBR_FULL", "RGB"))


@pytest.mark.parametrize("photometric", ["HSV", "CMYK", "ARGB", "YBR_PARTIAL_422", "XYB"])
def test_colours_that_nobody_defines_are_refused(photometric: str, tmp_path: Path) -> None:
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        decoded(colours(np.zeros((4, 4, 3), "u1"), photometric), tmp_path)


def test_colour_deeper_than_eight_bits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SafelightError, match="E-VOLUME-BITS"):
        list(blocks([FrameSource(read(BUNDLED / "SC_rgb_rle_16bit.dcm"))]))


def palette(entries: np.ndarray, pixels: np.ndarray, bits: int) -> pydicom.Dataset:
    made = dataset(pixels, "u8", PhotometricInterpretation="PALETTE COLOR")
    for place, name in enumerate(("Red", "Green", "Blue")):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [len(entries), 0, bits])
        setattr(made, f"{name}PaletteColorLookupTableData", entries[:, place].astype("<u2" if bits == 16 else "u1").tobytes())
    return made


@pytest.mark.parametrize(("bits", "scale"), [(8, 1), (16, 256), (16, 1)])
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLSLossless])
def test_palettes_become_rgb(syntax: str, bits: int, scale: int, tmp_path: Path) -> None:
    """The third is what some ultrasound machines write: entries of 8 bits that are said to have 16."""
    entries = np.random.default_rng(2).integers(0, 256, (16, 3))
    pixels = np.random.default_rng(3).integers(0, 16, (6, 8)).astype("u1")
    made = palette(entries * scale, pixels, bits)
    if syntax != uid.ExplicitVRLittleEndian:
        made.compress(uid.UID(syntax), generate_instance_uid=False)
    block = decoded(made, tmp_path)
    assert block.values.dtype == np.uint8
    assert np.array_equal(block.values[0], entries[pixels])


def test_a_palette_that_is_not_there_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        decoded(dataset(picture("u8"), "u8", PhotometricInterpretation="PALETTE COLOR"), tmp_path)


def test_a_real_ultrasounds_palette_is_what_pydicom_makes_of_it() -> None:
    file = dcmread(BUNDLED / "examples_palette.dcm")
    wanted = apply_color_lut(file.pixel_array, file)
    [block] = blocks([FrameSource(read(BUNDLED / "examples_palette.dcm").trimmed())])
    assert np.array_equal(block.values[0], wanted if wanted.dtype == np.uint8 else wanted >> 8)


GREY = ["CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "693_J2KI.dcm", "examples_overlay.dcm", "image_dfl.dcm",
        "MR_small_padded.dcm", "J2K_pixelrep_mismatch.dcm"]  # fmt: skip


@pytest.mark.parametrize("name", GREY)
def test_real_files_have_the_values_that_gdcm_reads(name: str) -> None:
    """GDCM by SimpleITK: its own parser, and its own copies of OpenJPEG and CharLS."""
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(BUNDLED / name))
    reader.ReadImageInformation()
    image = reader.Execute()
    header = dcmread(BUNDLED / name, stop_before_pixels=True)
    stored = (SimpleITK.GetArrayFromImage(image)[0] - float(header.get("RescaleIntercept", 0))) / float(
        header.get("RescaleSlope", 1)
    )
    [block] = blocks([FrameSource(read(BUNDLED / name).trimmed())])
    assert np.ptp(block.values) > 50
    assert np.array_equal(block.values[0], stored)


def test_nothing_is_said_of_what_decoders_grumble_about(tmp_path: Path) -> None:
    """A worker's output is no place for warnings of each of a thousand slices."""
    import imagecodecs

    frame = imagecodecs.jpeg8_encode(
        np.zeros((40, 50, 3), "u1") + np.uint8(99), level=95
    )  # has a JFIF mark, which pydicom warns of
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded(compressed([frame], colours(np.zeros((40, 50, 3)), "RGB"), uid.JPEGBaseline8Bit), tmp_path)
