"""Text is found where it is, in the frames that have it, and nowhere else; what can't be looked at is held back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence

from data_contracts.deid_evidence import CONTRACT
from tasks.deid.burned_in import detector, letters
from tasks.deid.burned_in.blanking import blank
from tasks.deid.burned_in.box import Box
from tasks.deid.burned_in.confirming import Confirmation, is_steady
from tasks.deid.burned_in.dim_text import finding
from tasks.deid.burned_in.frames import pictures
from tasks.deid.burned_in.letters import crossings
from tasks.deid.burned_in.looking import look
from tasks.deid.burned_in.policy import PixelPolicy
from tasks.deid.burned_in.searching import lines
from tasks.deid.burned_in.singling import Singling
from tasks.errors import ConfigurationError, SafelightError
from tests.tasks.deid.burned_in.images import SHAPE, TEXT, dataset, ground, ink, saved, with_text
from tests.tasks.deid.making import TEST_FILES

POLICY = PixelPolicy()
LETTERS = ink() > 0.35


def covered(boxes: tuple[Box, ...]) -> float:
    mask = np.zeros(SHAPE, bool)
    for box in boxes:
        mask[box.slices()] = True
    return float(mask[LETTERS].mean())


def slices(folder: Path, texts: dict[int, Any], count: int = 6) -> list[Path]:
    """A CT series whose slices of these numbers have ink on them."""
    paths = []
    for number in range(count):
        values = ground(number) if number not in texts else np.maximum(ground(number), texts[number])
        paths.append(saved(dataset(np.rint(values * 3000 - 1000).astype("i2"), modality="CT"), folder / f"{number}.dcm"))
    return paths


def test_one_look_at_a_series_finds_the_slices_that_have_text_and_spares_the_others(tmp_path: Path) -> None:
    paths = slices(tmp_path, {2: ink() * 0.95, 4: ink() * 0.95})
    found = look(paths, policy=POLICY)
    assert [bool(boxes) for boxes in found.boxes] == [False, False, True, False, True, False]
    assert covered(found.boxes[2]) == covered(found.boxes[4]) == 1
    assert found.codes == ("",) * 6
    assert {(each.view, each.frames) for each in found.looks if each.source == "text"} == {
        ("maximum", 6), ("minimum", 6), ("spread", 6),
    }  # fmt: skip
    again = dcmread(paths[2])
    again.PixelData = blank(again, found.frames[2])
    assert lines(again.pixel_array, 0.3) == ()


@pytest.mark.parametrize("reordered", [False, True])
def test_text_of_one_slice_is_found_where_another_is_brighter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reordered: bool
) -> None:
    """Further on, bright bone covers the place of the text, so that no projection shows it; files come in any order."""
    paths = []
    for number in range(12):
        values = ground(number) + (0.6 if number in (7, 8, 9) else 0) + (0.25 * ink() if number == 2 else 0)
        made = dataset(np.rint(values * 3000 - 1000).astype("i2"), modality="CT")
        made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, 3 * number], [1, 0, 0, 0, 1, 0]
        paths.append(saved(made, tmp_path / f"{number}.dcm"))
    if reordered:
        paths = paths[::-5] + [path for path in paths if path not in paths[::-5]]
    found = look(paths, policy=POLICY)
    has_text = [path.stem == "2" for path in paths]
    assert [bool(boxes) for boxes in found.boxes] == has_text
    assert covered(found.boxes[has_text.index(True)]) > 0.95
    [view] = [column for column in CONTRACT.columns if column.name == "view"]
    assert "difference" in {each.view for each in found.looks} <= set(view.allowed or ())
    monkeypatch.setattr(Singling, "odd", lambda self: [])
    assert not any(look(paths, policy=POLICY).boxes)  # no other view shows it


def test_a_detector_that_finds_nothing_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard of the guard: without its networks the same series would pass, so the test above can fail. Either of them is enough."""
    paths = slices(tmp_path, {2: ink() * 0.95}, 3)
    for blind in (letters, finding):
        with monkeypatch.context() as patch:
            patch.setattr(blind, "find", lambda *_: ())
            assert covered(look(paths, policy=POLICY).boxes[2]) == 1
    for blind in (letters, finding):
        monkeypatch.setattr(blind, "find", lambda *_: ())
    with pytest.raises(AssertionError):
        assert any(look(paths, policy=POLICY).boxes)


def test_text_in_all_frames_that_is_dim_in_each_is_seen_in_the_spread(tmp_path: Path) -> None:
    """Burned in at the same value everywhere: each frame hides it in its noise, the spread of many is nothing there."""
    paths = []
    for number in range(12):
        values = np.where(LETTERS, 0.22, ground(number) + np.random.default_rng(number + 99).normal(0, 0.05, SHAPE))
        paths.append(saved(dataset(np.rint(values * 3000).astype("i2"), modality="CT"), tmp_path / f"{number}.dcm"))
    found = look(paths, policy=POLICY)
    assert all(covered(boxes) > 0.95 for boxes in found.boxes)
    assert not lines(dcmread(paths[0]).pixel_array, POLICY.threshold)


@pytest.mark.parametrize("frames", [8, 40])
def test_the_spread_of_noise_is_not_steady_and_that_of_letters_in_all_frames_is(frames: int) -> None:
    drawn = np.random.default_rng(frames).normal(100, 10, (frames, *SHAPE))
    assert not is_steady(np.ptp(drawn, axis=0), TEXT, frames)
    drawn[frames // 2] += 400 * ink()
    assert not is_steady(np.ptp(drawn, axis=0), TEXT, frames), "letters on one frame alone make the spread greater"
    drawn[:, LETTERS] = 105
    assert is_steady(np.ptp(drawn, axis=0), TEXT, frames)
    assert not is_steady(np.ptp(drawn[:4], axis=0), TEXT, 4), "four frames tell nothing"
    outside = np.random.default_rng(frames).normal(100, 10, (frames, *SHAPE))
    outside[:, :, :110] = 0
    outside[frames // 2] += 400 * ink()
    assert not is_steady(np.ptp(outside, axis=0), TEXT, frames), (
        "what lies outside of the scanner's field is still, and no letter"
    )


def test_the_same_text_is_looked_for_once_and_other_frames_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that show the same in a place share the network's answer; a frame that shows something else there is looked at."""
    asked: list[int] = []
    honest = letters.find

    def counted(*how: Any) -> Any:
        asked.append(1)
        return honest(*how)

    monkeypatch.setattr(letters, "find", counted)
    made = Confirmation((TEXT,))
    shown = [bool(made.boxes(np.maximum(ground(number), ink() * 0.95))) for number in range(8)]
    assert shown == [True] * 8
    assert len(asked) == 1
    assert made.boxes(ground(9)) == []
    assert len(asked) == 2


def test_multi_frame_colour_gets_boxes_by_frame(tmp_path: Path) -> None:
    frames = np.stack([np.rint((with_text(n) if n == 3 else ground(n)) * 250).astype("u1") for n in range(5)])
    path = saved(dataset(np.stack([frames] * 3, -1), photometric="RGB", modality="US"), tmp_path / "a.dcm")
    found = look([path], policy=POLICY)
    assert list(found.frames[0]) == [3]
    assert covered(found.frames[0][3]) == 1


def test_one_hot_pixel_blinds_no_look(tmp_path: Path) -> None:
    values = np.rint(with_text() * 500).astype("u2")
    values[0, 0] = 65535
    assert covered(look([saved(dataset(values), tmp_path / "a.dcm")], policy=POLICY).boxes[0]) == 1


@pytest.mark.parametrize("turned", [1, 2, 3])
def test_text_that_is_turned(turned: int) -> None:
    shown = np.rot90(np.kron(with_text(), np.ones((1, 1))), turned)
    mask = np.zeros(shown.shape, bool)
    for box in lines(shown, POLICY.threshold):
        mask[box.slices()] = True
    assert mask[np.rot90(LETTERS, turned)].all()


def test_dark_text_on_bright_ground() -> None:
    assert covered(lines(1 - with_text(), POLICY.threshold)) == 1


def test_a_body_is_one_large_letter_to_the_network_and_none_to_us() -> None:
    rows, columns = np.indices((256, 256)) - 128
    body = ((rows / 30) ** 2 + (columns / 40) ** 2 < 1) * 150 + np.random.default_rng(0).normal(40, 3, (256, 256))
    _, shown = pictures(body)
    [found] = detector.find(shown)  # the network takes it for text
    assert lines(body, 0.3) == ()
    assert crossings(shown[found.box.slices()]) < 8 <= crossings(pictures(with_text())[1][30:56, 40:250])


def test_what_cannot_be_decoded_is_held_back(tmp_path: Path) -> None:
    made = dataset(np.rint(ground() * 255).astype("u1"))
    made.PixelData = made.PixelData[:100]
    good = saved(dataset(np.rint(ground() * 255).astype("u1")), tmp_path / "b.dcm")
    found = look([saved(made, tmp_path / "a.dcm"), good], policy=POLICY)
    assert found.codes == ("E-DEID-PIXELS-UNREADABLE", "")


@pytest.mark.parametrize(
    ("policy", "declared", "text", "code", "boxed"),
    [
        ({}, "YES", True, "E-DEID-BURNED-IN", False), ({"declared": "blank"}, "YES", True, "", True),
        ({"declared": "blank"}, "YES", False, "E-DEID-BURNED-IN", False), ({}, "NO", True, "", True),
        ({"text": "quarantine"}, "NO", True, "E-DEID-TEXT-FOUND", False), ({"text": "quarantine"}, "NO", False, "", False),
    ],
)  # fmt: skip
def test_what_the_header_declares(
    policy: dict[str, Any], declared: str, text: bool, code: str, boxed: bool, tmp_path: Path
) -> None:
    made = dataset(np.rint((with_text() if text else ground()) * 250).astype("u1"))
    made.BurnedInAnnotation = declared
    found = look([saved(made, tmp_path / "a.dcm")], policy=PixelPolicy(**policy))
    assert (found.codes[0], bool(found.boxes[0])) == (code, boxed)


def test_the_catalogues_regions_are_blanked(tmp_path: Path) -> None:
    made = dataset(np.rint(ground() * 3000).astype("i2"), modality="CT")
    made.Manufacturer, made.ManufacturerModelName, made.SeriesDescription = "GE MEDICAL SYSTEMS", "LightSpeed VCT", "Localizer"
    path = saved(made, tmp_path / "a.dcm")
    assert look([path], policy=POLICY).boxes[0] == (Box(0, 0, 80, 85),)
    assert look([path], policy=PixelPolicy(catalogue="quarantine")).codes == ("E-DEID-TEXT-FOUND",)


def region(left: int, top: int, right: int, bottom: int) -> Dataset:
    item = Dataset()
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    return item


def test_all_outside_of_the_calibrated_regions_of_ultrasound_is_blanked(tmp_path: Path) -> None:
    made = dataset(np.rint(ground() * 255).astype("u1"), modality="US")
    made.SequenceOfUltrasoundRegions = Sequence([region(16, 20, 255, 127)])
    path = saved(made, tmp_path / "a.dcm")
    boxes = look([path], policy=POLICY).boxes[0]
    mask = np.zeros(SHAPE, bool)
    for box in boxes:
        mask[box.slices()] = True
    assert not mask[20:, 16:].any()
    assert mask[:20].all()
    assert mask[:, :16].all()
    assert look([path], policy=PixelPolicy(ultrasound="text")).boxes[0] == ()
    made.SequenceOfUltrasoundRegions = Sequence([region(16, 20, 256, 127)])  # reaches over the edge
    assert look([saved(made, path)], policy=POLICY).boxes[0] == ()


def test_words_of_a_real_ultrasound_console_are_boxed_and_the_heart_is_not(tmp_path: Path) -> None:
    """The first frame of pydicom's example, 240 by 320: places of words measured by eye. Its short ones (MI, P21) are not found."""
    frame = pixel_array(TEST_FILES / "examples_ybr_color.dcm", index=0)
    boxes = look([saved(dataset(frame, photometric="RGB", modality="US"), tmp_path / "a.dcm")], policy=POLICY).boxes[0]
    boxed = np.zeros(frame.shape[:2], bool)
    for box in boxes:
        boxed[box.slices()] = True
    bright = frame.max(-1) > 90
    words = {
        "PLA": Box(12, 2, 32, 12), "Gen THI": Box(1, 12, 40, 22),
        "Sector": Box(136, 229, 161, 239), "Page 1/3": Box(246, 229, 276, 239),
    }  # fmt: skip
    for word, place in words.items():
        assert bright[place.slices()].any(), word
        assert boxed[place.slices()][bright[place.slices()]].mean() > 0.95, word
    assert not boxed[30:220, 60:280].any()


def test_a_policy_names_what_is_wrong() -> None:
    assert PixelPolicy.of({"text": "quarantine", "threshold": 0.4}) == PixelPolicy(text="quarantine", threshold=0.4)
    for section in ({"txt": "blank"}, {"text": "keep"}, {"threshold": 2}, {"slices_a_look": True}, {"slices_a_look": 1.5}):
        with pytest.raises(ConfigurationError, match="E-DEID-PIXEL-POLICY"):
            PixelPolicy.of(section)


def test_without_the_network_nothing_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    detector._session.cache_clear()
    monkeypatch.setattr(detector, "_WEIGHTS", "models/none.onnx")
    with pytest.raises(SafelightError, match="E-DEID-TEXT-DETECTOR"):
        look([saved(dataset(np.rint(ground() * 255).astype("u1")), tmp_path / "a.dcm")], policy=POLICY)
    detector._session.cache_clear()


def test_the_network_is_loaded_when_it_is_needed_and_opencv_and_matplotlib_never() -> None:
    code = (
        "import sys, numpy\nimport tasks.deid.burned_in.looking, tasks.deid.burned_in.blanking, tasks.deid.pixels\n"
        "assert not {'onnxruntime', 'cv2', 'scipy'} & set(sys.modules)\n"
        "from tasks.deid.burned_in.detector import find\n"
        "find(numpy.random.default_rng(0).integers(0, 255, (64, 64), 'u1'))\n"
        "from pydicom import Dataset\nfrom tasks.deid.burned_in.catalogue import ask\nassert not ask(Dataset()).screen\n"
        "assert {'onnxruntime', 'deid.dicom.pixels.detect'} <= set(sys.modules)\n"
        "assert not {'cv2', 'rapidocr_onnxruntime', 'matplotlib'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", ""), "the deid package would print every rule of its catalogue"
