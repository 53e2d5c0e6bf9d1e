"""One picture is written in every transfer syntax by encoders that are not ours, and read as it was, or within a stated bound of it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, uid

from tasks.errors import SafelightError
from tasks.volumes.decoding import FrameSource, blocks
from tests.tasks.volumes.encoded import (
    COLUMNS,
    FORMS,
    LOSSLESS,
    LOSSY,
    ROWS,
    colours,
    compressed,
    dataset,
    decoded,
    picture,
    taken_apart,
)

NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("syntax", NATIVE)
def test_uncompressed_pictures_are_read_as_they_were(syntax: str, form: str, tmp_path: Path) -> None:
    pixels = picture(form)
    made = dataset(pixels, form)
    if syntax == uid.ExplicitVRBigEndian:
        made.PixelData = pixels.byteswap().tobytes()
        made["PixelData"].VR = "OW" if pixels.itemsize > 1 else "OB"
    made.file_meta.TransferSyntaxUID = syntax
    block = decoded(made, tmp_path)
    assert block.values.dtype == pixels.dtype
    assert np.array_equal(block.values, pixels[None])
    assert not block.masked


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_pictures_that_are_compressed_without_loss_are_read_as_they_were(syntax: str, form: str, tmp_path: Path) -> None:
    pixels = picture(form)
    block = decoded(compressed([LOSSLESS[syntax](pixels, form)], dataset(pixels, form), syntax), tmp_path)
    assert block.values.dtype == pixels.dtype
    assert np.array_equal(block.values, pixels[None])
    assert not block.masked


@pytest.mark.parametrize(("syntax", "form"), [(syntax, form) for syntax, (_, forms, _) in LOSSY.items() for form in forms])
def test_pictures_that_are_compressed_with_loss_are_read_within_a_bound(syntax: str, form: str, tmp_path: Path) -> None:
    encode, _, bound = LOSSY[syntax]
    pixels = picture(form)
    block = decoded(compressed([encode(pixels, form)], dataset(pixels, form), syntax), tmp_path)
    error = np.abs(block.values[0].astype(int) - pixels).max()
    assert block.values.dtype == pixels.dtype
    assert 0 < error <= bound * (1 << FORMS[form][1])
    if syntax == uid.JPEGLSNearLossless:
        assert error <= 3  # what the standard promises, T.87 annex A


@pytest.mark.parametrize("table", ["none", "basic"])
@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("syntax", [syntax for syntax in LOSSLESS if syntax != uid.RLELossless])
def test_frames_in_several_fragments_are_put_together(syntax: str, count: int, table: str, tmp_path: Path) -> None:
    frames = np.stack([picture("u12", seed) for seed in range(count)])
    encoded = [LOSSLESS[syntax](frame, "u12") for frame in frames]
    source = taken_apart(compressed(encoded, dataset(frames, "u12"), syntax, fragments=3, table=table), tmp_path)
    order = list(range(count))[::-1]
    found = np.concatenate(
        [block.values for block in blocks([FrameSource(source, number) for number in order], block_bytes=9000)]
    )
    assert np.array_equal(found, frames[order])


@pytest.mark.parametrize("table", ["none", "basic", "extended"])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_frames_are_told_apart_by_either_offset_table_or_none(syntax: str, table: str, tmp_path: Path) -> None:
    frames = np.stack([picture("i16", seed) for seed in range(3)])
    made = compressed([LOSSLESS[syntax](frame, "i16") for frame in frames], dataset(frames, "i16"), syntax, table=table)
    source = taken_apart(made, tmp_path)
    for instance in (source, source.bare()):
        found = np.concatenate([block.values for block in blocks([FrameSource(instance, number) for number in (2, 0, 1)])])
        assert np.array_equal(found, frames[[2, 0, 1]])


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY])
def test_a_codestream_that_is_cut_anywhere_is_no_image(syntax: str, tmp_path: Path) -> None:
    encode = LOSSLESS.get(syntax) or LOSSY[syntax][0]
    form = "u8"
    frame = encode(picture(form), form)
    for share in (0.02, 0.3, 0.6, 0.9):
        cut = frame[: int(len(frame) * share)]
        with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
            decoded(compressed([cut], dataset(picture(form), form), syntax), tmp_path)
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        decoded(compressed([frame[:-40]], dataset(picture(form), form), syntax), tmp_path)


@pytest.mark.parametrize("lost", [2, 40, 1000])
@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY])
def test_a_codestream_that_lost_some_of_its_coded_data_is_no_image_though_its_end_is_there(
    syntax: str, lost: int, tmp_path: Path
) -> None:
    """libjpeg by itself fills the rest of the image with something, and says nothing."""
    encode, form = LOSSLESS.get(syntax) or LOSSY[syntax][0], "u12" if syntax == uid.JPEGExtended12Bit else "u8"
    frame = encode(picture(form), form)
    end = len(frame.rstrip(b"\0")) if syntax == uid.RLELossless else frame.rindex(b"\xff\xd9")
    begin = end - max(2, min(lost, end // 2))  # one alone may be taken for the padding to an even length
    while frame[begin - 1] == 0xFF or frame[begin - 1] == 0:  # no half of a stuffed byte; padding is no loss
        begin -= 1
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        decoded(compressed([frame[:begin] + frame[end:]], dataset(picture(form), form), syntax), tmp_path)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_codestream_of_another_matrix_is_no_image_though_it_has_as_many_pixels(syntax: str, tmp_path: Path) -> None:
    turned = LOSSLESS[syntax](picture("u12").reshape(COLUMNS, ROWS), "u12")
    if syntax == uid.RLELossless:
        turned = LOSSLESS[syntax](picture("u12", rows=ROWS - 1), "u12")  # run lengths do not say their matrix
    with pytest.raises(SafelightError, match="E-VOLUME-DECODE"):
        decoded(compressed([turned], dataset(picture("u12"), "u12"), syntax), tmp_path)


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.95"]
)
def test_video_jpeg_xl_and_pixels_that_are_elsewhere_are_refused(syntax: str, tmp_path: Path) -> None:
    made = compressed([b"\xff\x0a" + bytes(100)], dataset(picture("u8"), "u8"), syntax)
    with pytest.raises(SafelightError, match=r"E-VOLUME-DECODE|E-DEID-UNREADABLE"):
        decoded(made, tmp_path)


@pytest.mark.parametrize(("syntax", "bound"), [
    (uid.RLELossless, 0), (uid.JPEGLSLossless, 0), (uid.JPEG2000Lossless, 0), (uid.JPEG2000, 12), (uid.JPEGBaseline8Bit, 12),
])  # fmt: skip
def test_colour_comes_out_as_rgb(syntax: str, bound: int, tmp_path: Path) -> None:
    import imagecodecs

    y, x = np.mgrid[0:40, 0:50]
    pixels = np.stack([y * 6, x * 5, 255 - y * 3 - x * 2], axis=-1).astype("u1")
    made = colours(pixels)
    if syntax == uid.JPEGBaseline8Bit:
        frame = imagecodecs.jpeg8_encode(pixels, level=95, subsampling="444")
        made = compressed([frame], colours(pixels, "YBR_FULL"), syntax)
    else:
        made.PhotometricInterpretation = {uid.JPEG2000: "YBR_ICT", uid.JPEG2000Lossless: "YBR_RCT"}.get(syntax, "RGB")
        made.compress(uid.UID(syntax), generate_instance_uid=False, **({"j2k_cr": [3]} if syntax == uid.JPEG2000 else {}))
    block = decoded(made, tmp_path)
    assert block.values.dtype == np.uint8
    assert np.abs(block.values[0].astype(int) - pixels).max() <= bound


DCMTK = {
    "dcmconv +ti": 0, "dcmconv +tb": 0, "dcmconv +td": 0, "dcmcrle": 0, "dcmcjpeg +el": 0, "dcmcjpeg +el +sv 6": 0, "dcmcjpeg +e1": 0,
    "dcmcjpls": 0, "dcmcjpls +en +md 3": 3,
}  # fmt: skip


@pytest.mark.peer("storescu")
@pytest.mark.parametrize("form", ["u8", "i12", "u16"])
@pytest.mark.parametrize("command", DCMTK)
def test_what_dcmtk_wrote_is_read_as_it_was(command: str, form: str, tmp_path: Path) -> None:
    if DCMTK[command] and form == "i12":
        form = "u12"  # dcmcjpls writes nothing signed with loss
    pixels = picture(form)
    dataset(pixels, form).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    program, *options = command.split()
    subprocess.run(
        [shutil.which(program) or program, *options, str(tmp_path / "a.dcm"), str(tmp_path / "b.dcm")], check=True, timeout=60
    )
    block = decoded(dcmread(tmp_path / "b.dcm"), tmp_path)
    assert np.abs(block.values[0].astype(int) - pixels).max() <= DCMTK[command]


@pytest.mark.peer("storescu")
@pytest.mark.parametrize(("option", "form"), [("+eb", "u8"), ("+ee", "u12")])
def test_what_dcmtk_wrote_with_loss_is_read_as_dcmtk_reads_it(option: str, form: str, tmp_path: Path) -> None:
    """Decoded by libjpeg here and by the IJG's code in DCMTK: T.81 allows inverse transforms to differ by little."""
    dataset(picture(form), form).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    for program, options, source, target in (("dcmcjpeg", [option, "+q", "95"], "a", "b"), ("dcmdjpeg", [], "b", "c")):
        command = [shutil.which(program) or program, *options, str(tmp_path / f"{source}.dcm"), str(tmp_path / f"{target}.dcm")]
        subprocess.run(command, check=True, timeout=60)
    ours = decoded(dcmread(tmp_path / "b.dcm"), tmp_path).values[0].astype(int)
    theirs = decoded(dcmread(tmp_path / "c.dcm"), tmp_path).values[0].astype(int)
    assert np.abs(ours - theirs).max() <= 2
    assert np.abs(ours - picture(form)).max() <= (24 if form == "u8" else 200)
