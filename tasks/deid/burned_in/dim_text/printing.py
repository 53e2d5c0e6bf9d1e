"""Lines of text for training: made-up names, numbers and dates in many fonts and scripts, as consoles print them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ACCENTED = "ÄÖÜÉÈÁÍÓÚÇÑŁŠŽ"
#: Letters of other scripts, each with a part of a font's file name that has it.
_SCRIPTS: dict[str, tuple[str, str]] = {
    "cyrillic": ("АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭЮЯабвгдежзиклмнопрст", "LiberationSans"),
    "greek": ("ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρστ", "LiberationSans"),
    "han": ("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗医院科放射年月日男女岁", "wqy"),
    "kana": ("アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホ田中山本鈴木佐藤", "ipa"),
    "hangul": ("김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남", "Nanum"),
    "arabic": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "NotoSansArabic-"),
    "hebrew": ("אבגדהוזחטיכלמנסעפצקרשת", "NotoSansHebrew-"),
    "devanagari": ("अआइईउऊएऐओकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह", "NotoSansDevanagari-"),
    "thai": ("กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศสหอฮ", "NotoSansThai-"),
}
#: Families that the measurement draws with: never trained on.
_HELD_OUT = ("dejavu", "aileron", "vera", "verdana")
_FAMILIES = (
    "LiberationSans", "LiberationMono", "LiberationSerif", "LiberationSansNarrow", "Roboto", "OpenSans", "FreeSans", "FreeMono", "FreeSerif",
    "Inconsolata", "Hack", "Lato", "FiraCode", "Cantarell", "Arimo", "Cousine", "Tinos", "Carlito", "NotoSans-", "NotoSansMono-", "NotoSerif-",
    "STIXGeneral",
)  # fmt: skip


@dataclass(frozen=True)
class Print:
    """A line: its ink from 0 to 1, of the line's own rows and columns, and how many characters it has."""

    ink: NDArray[np.float32]
    characters: int


@cache
def fonts(folder: Path) -> tuple[Path, ...]:
    """The TrueType files under a folder that lines are drawn with, in order."""
    found = [path for path in sorted(folder.rglob("*.[to]t[fc]")) if not any(name in path.name.lower() for name in _HELD_OUT)]
    return tuple(
        path
        for path in found
        if path.name.startswith(_FAMILIES) and not any(odd in path.name for odd in ("Thin", "Hairline", "Black"))
    )


def script_fonts(folder: Path) -> dict[str, str]:
    """The file under a folder that each other script is drawn with; scripts without one are not drawn."""
    found = {name: _script_font(folder, part) for name, (_, part) in _SCRIPTS.items()}
    return {name: path.name for name, path in found.items() if path is not None}


@cache
def _script_font(folder: Path, part: str) -> Path | None:
    return next((path for path in sorted(folder.rglob(f"*{part}*")) if path.suffix in (".ttf", ".otf", ".ttc")), None)


@cache
def _loaded(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)


def text(rng: np.random.Generator) -> str:
    """Latin letters and digits as of names, numbers, dates, times, and parameters."""
    kind = int(rng.integers(7))
    digits = "".join(map(str, rng.integers(0, 10, int(rng.integers(3, 12)))))
    if kind == 0:
        return f"{rng.choice(['ID', 'ACC', 'MRN', 'Pat:', 'No.', '#', ''])} {digits}".strip()
    if kind == 1:
        day, month, year = int(rng.integers(1, 32)), int(rng.integers(1, 13)), int(rng.integers(1920, 2030))
        forms = (
            f"{day:02}.{month:02}.{year}",
            f"{month:02}/{day:02}/{year}",
            f"{year}-{month:02}-{day:02}",
            f"{year}{month:02}{day:02}",
        )
        return str(rng.choice(forms))
    if kind == 2:
        return f"{int(rng.integers(24)):02}:{int(rng.integers(60)):02}:{int(rng.integers(60)):02}"
    if kind == 3:
        return f"{rng.choice(['kV', 'mA', 'W', 'L', 'TR', 'TE', 'Sl', 'FOV', 'DFOV', 'SE', 'IM', 'Ex'])}{rng.choice([':', ' ', ' = '])}{digits[:5]}"
    words = [_word(rng) for _ in range(int(rng.integers(1, 5)))]
    return str(rng.choice([" ", "^", ", ", "_", "-"])).join(words)


def _word(rng: np.random.Generator) -> str:
    letters = _LATIN + (_ACCENTED if rng.random() < 0.15 else "")
    word = "".join(rng.choice(list(letters), int(rng.integers(2, 11))))
    case = rng.random()
    return word if case < 0.4 else word.capitalize() if case < 0.85 else word.lower()


def line(rng: np.random.Generator, folder: Path) -> Print:
    """A line of letters of 6 to 34 pixels, small ones more often."""
    size = int(np.clip(np.round(np.exp(rng.uniform(np.log(6.5), np.log(34)))), 6, 34))
    said, font = text(rng), None
    if rng.random() < 0.2:
        letters, part = _SCRIPTS[str(rng.choice(list(_SCRIPTS)))]
        path = _script_font(folder, part)
        if path is not None:
            said = "".join(rng.choice([*letters, " "], int(rng.integers(3, 14)))).strip() or letters[:4]
            font = _loaded(path, max(size, 8))
    if font is None:
        if rng.random() < 0.12:
            return _stroked(rng, said, size)
        files = fonts(folder)
        font = _loaded(files[int(rng.integers(len(files)))], size)
    left, top, right, bottom = (int(np.floor(each)) for each in font.getbbox(said))
    canvas = Image.new("L", (max(1, right - left + 2), max(1, bottom - top + 2)))
    draw = ImageDraw.Draw(canvas)
    if rng.random() < 0.2:
        draw.fontmode = "1"  # no grey at the edges
    draw.text((1 - left, 1 - top), said, fill=255, font=font)
    return _finished(rng, canvas, said)


def _stroked(rng: np.random.Generator, said: str, size: int) -> Print:
    """Letters of strokes, after A. V. Hershey, as OpenCV draws them; or Pillow's letters of dots, as they are and doubled."""
    ascii_only = said.encode("ascii", "ignore").decode() or "0123"
    if rng.random() < 0.4:
        font = ImageFont.load_default_imagefont()
        _left, _top, right, bottom = font.getbbox(ascii_only)
        canvas = Image.new("1", (int(right) + 2, int(bottom) + 2))
        ImageDraw.Draw(canvas).text((1, 1), ascii_only, fill=1, font=font)
        times = 2 if size > 16 else 1
        return _finished(
            rng, canvas.convert("L").resize((canvas.width * times, canvas.height * times), Image.Resampling.NEAREST), ascii_only
        )
    import cv2

    face = int(rng.integers(0, 8))
    scale, thick = size / 28, int(rng.choice([1, 1, 2])) if size > 12 else 1
    (wide, high), below = cv2.getTextSize(ascii_only, face, scale, thick)
    ink = np.zeros((high + below + 2 * thick + 2, wide + 2 * thick + 2), np.uint8)
    cv2.putText(
        ink, ascii_only, (thick, high + thick), face, scale, 255, thick, cv2.LINE_AA if rng.random() < 0.7 else cv2.LINE_8
    )
    return _finished(rng, Image.fromarray(ink), ascii_only)


def _finished(rng: np.random.Generator, canvas: Image.Image, said: str) -> Print:
    """The line as it reaches the picture: now and then resampled, or upright."""
    if rng.random() < 0.15:
        factor = rng.uniform(0.75, 1.4)
        canvas = canvas.resize(
            (max(1, round(canvas.width * factor)), max(1, round(canvas.height * factor))), Image.Resampling.BILINEAR
        )
    ink = np.asarray(canvas, np.float32) / 255
    if rng.random() < 0.06:
        ink = np.rot90(ink, int(rng.choice([1, 3])))
    return Print(np.ascontiguousarray(ink), sum(not each.isspace() for each in said))
