"""The page stands alone, and can be read by a person, a keyboard and a screen reader."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from lxml import etree

from tests.tasks.report.made_faces import CASES, page, rendered


@pytest.mark.parametrize("case", CASES)
def test_the_page_loads_nothing_and_runs_one_script_of_its_own(case: str) -> None:
    web = page(case)
    (script,) = web.iter("script")
    assert script.attrib == {}
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    (policy,) = web.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.split("; ")[-1] == f"script-src 'sha256-{digest}'"
    assert {element.tag for element in web.iter()} & {"link", "iframe", "object", "embed", "form", "base"} == set()
    for element in web.iter():
        for name, value in element.items():
            assert not name.startswith("on")
            if name in {"src", "href", "srcset", "action", "data"}:
                assert value.startswith(("#", "data:image/svg+xml;base64,"))
    style = web.findtext(".//style")
    assert not re.search(r"url\(|@import|https?:", style)


@pytest.mark.parametrize("case", CASES)
def test_the_page_forbids_the_browser_to_load_anything(case: str) -> None:
    (policy,) = page(case).xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none';")


@pytest.mark.parametrize("case", CASES)
def test_figures_load_nothing_either(case: str) -> None:
    sources = page(case).xpath("//img/@src")
    for source in sources:
        drawing = etree.fromstring(base64.b64decode(source.partition(",")[2]))
        links = drawing.xpath("//@*[local-name()='href']")
        assert all(link.startswith("#") for link in links)
        assert not drawing.xpath(
            "//*[local-name()='script' or local-name()='image' or local-name()='text' or local-name()='date']"
        )


@pytest.mark.parametrize("case", CASES)
def test_the_structure_tells_what_belongs_to_what(case: str) -> None:
    web = page(case)
    assert web.get("lang") == "en"
    assert [len(web.xpath(f"//{tag}")) for tag in ("h1", "main", "header", "nav", "title")] == [1] * 5
    assert all(cell.get("scope") in {"col", "row"} for cell in web.iter("th"))
    assert all(row.find("th") is not None for row in web.iter("tr"))
    identifiers = web.xpath("//@id")
    assert len(set(identifiers)) == len(identifiers)
    references = [*web.xpath("//@aria-labelledby"), *(link.removeprefix("#") for link in web.xpath("//a/@href"))]
    assert set(references) <= set(identifiers)
    assert all(table.get("aria-labelledby") for table in web.iter("table"))
    assert all(image.get("alt") for image in web.iter("img"))


def test_the_first_link_skips_to_the_content() -> None:
    first = next(page("realistic").iter("a"))
    assert first.get("href") == "#content"
    assert page("realistic").get_element_by_id("content").tag == "main"


def test_whatever_can_be_scrolled_can_be_reached_by_the_keyboard() -> None:
    boxes = page("realistic").find_class("scroll")
    assert boxes
    assert all(box.get("tabindex") == "0" and box.get("role") == "region" for box in boxes)


def test_the_page_says_the_size_of_a_phone() -> None:
    assert b'name="viewport" content="width=device-width' in rendered("realistic")["report.html"]
