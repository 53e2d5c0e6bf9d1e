"""The page stands alone, holds everything, and no value of a header becomes a part of it."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from lxml import html

from tasks.gallery.page import render
from tests.tasks.gallery.made import held, pictures, row, rows

HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>' onmouseover=alert(1) {{ 7*7 }} </style></script>"


@pytest.fixture(scope="module")
def made() -> tuple[bytes, html.HtmlElement]:
    shown = rows(60)
    page = render(shown, pictures(shown), base="..", splits={(each["SeriesInstanceUID"], 0): "train" for each in shown})
    return page, html.fromstring(page.decode())


def test_the_same_rows_give_the_same_bytes(made: tuple[bytes, html.HtmlElement]) -> None:
    shown = rows(60)
    splits = {(each["SeriesInstanceUID"], 0): "train" for each in shown}
    assert render(shown, pictures(shown), base="..", splits=splits) == made[0]


def test_the_page_loads_nothing_and_its_policy_allows_its_own_script_alone(made: tuple[bytes, html.HtmlElement]) -> None:
    web = made[1]
    assert {element.tag for element in web.iter()} & {"link", "iframe", "object", "embed", "form", "base"} == set()
    for element in web.iter():
        for name, value in element.items():
            assert not name.startswith("on")
            assert name != "style"
            if name == "src":
                assert value.startswith("data:image/webp;base64,")
            if name == "href":
                assert value.startswith(("#", "./../volumes/"))
    assert not re.search(r"url\(|@import|https?:", web.findtext(".//style"))
    (policy,) = web.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    said = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert said["default-src"] == "'none'"
    assert said["img-src"] == "data:"
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", made[0].decode(), re.DOTALL)
        assert said[kind] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_every_row_is_a_card_with_its_picture_or_its_reason(made: tuple[bytes, html.HtmlElement]) -> None:
    cards = made[1].xpath("//ul[@id='cards']/li")
    shown, given = rows(60), pictures(rows(60))
    assert len(cards) == len(shown)
    for each, of in zip(cards, shown, strict=True):
        text = each.text_content()
        assert all(of[key] in text for key in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"))
        if of["path"]:
            (image,) = each.iter("img")
            assert base64.b64decode(image.get("src").partition(",")[2]) == given[of["SeriesInstanceUID"], 0]
            assert of["Modality"] in image.get("alt")
            assert each.xpath(".//a/@href") == [f"./../{of['path']}"]
        else:
            assert of["reason_code"] in text
            assert "61 instances" in text


def test_names_that_are_referred_to_are_there_once(made: tuple[bytes, html.HtmlElement]) -> None:
    web = made[1]
    names = web.xpath("//@id")
    assert len(set(names)) == len(names)
    assert set(web.xpath("//@aria-labelledby")) <= set(names)


def test_a_value_stays_text_whatever_it_says() -> None:
    columns = ("Manufacturer", "ManufacturerModelName", "BodyPartExamined", "Modality", "ConvolutionKernel", "units", "PatientID")
    shown = [
        row(1, split_by=[HOSTILE], fourth_axis=HOSTILE, kind="4d", path=HOSTILE, **dict.fromkeys(columns, HOSTILE)),
        held(2, HOSTILE),
    ]
    page = render(shown, pictures([row(1)]), base="", title=HOSTILE, splits={(shown[0]["SeriesInstanceUID"], 0): HOSTILE})
    web = html.fromstring(page.decode())
    assert len(web.xpath("//script")) == len(web.xpath("//style")) == 1
    assert len(web.xpath("//ul[@id='cards']/li")) == 2
    assert not [name for element in web.iter() for name in element.keys() if name.startswith("on")]  # noqa: SIM118 - lxml
    assert web.findtext(".//h1") == HOSTILE
    assert web.xpath("//li/@data-manufacturer")[0] == HOSTILE
    (link,) = web.xpath("//ul[@id='cards']//a/@href")
    assert link.startswith("./")


def test_a_path_is_never_a_scheme_of_its_own() -> None:
    for base in ("", "..", "lake"):
        (link,) = html.fromstring(render([row(1, path="javascript:alert(1)")], {}, base=base).decode()).xpath("//li//a/@href")
        assert link.startswith("./")


def test_without_a_way_to_the_lake_the_path_is_text() -> None:
    web = html.fromstring(render([row(1)], {}).decode())
    assert not web.xpath("//li//a")
    assert row(1)["path"] in web.xpath("//li")[0].text_content()


def test_a_missing_picture_says_so() -> None:
    page = render([row(1)], {}).decode()
    assert "No picture:" in page
    assert "<img" not in page
