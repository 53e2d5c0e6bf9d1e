"""Presentation states: texts keep the field's words, names of layers go, lines stay."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset

from tasks.deid.structured import graphics
from tasks.deid.structured.graphics import clean_graphics
from tasks.errors import SafelightError
from tests.tasks.deid.structured.making import Answers, reference


def made(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def presentation() -> Dataset:
    line = made(
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[1.0, 2.0, 3.0, 4.0],
        GraphicType="POLYLINE",
    )
    texts = [
        made(UnformattedTextValue=text, AnchorPoint=[1.0, 1.0])
        for text in ("nodule of Zwiebelturm", "Zwiebelturm\r\n29.02.1964", "5 mm")
    ]
    ruler = made(
        CompoundGraphicType="RULER",
        UnformattedTextValue="Zwiebelturm LUNG",
        MajorTicksSequence=[made(TickPosition=0.5, TickLabel="ZITA")],
    )
    annotation = made(
        GraphicLayer="ZWIEBELTURM", TextObjectSequence=texts, GraphicObjectSequence=[line], CompoundGraphicSequence=[ruler],
        ReferencedImageSequence=[reference("1.2.3")],
    )  # fmt: skip
    return made(
        GraphicAnnotationSequence=[annotation, made(GraphicLayer="B")],
        GraphicLayerSequence=[
            made(GraphicLayer="B", GraphicLayerOrder=1),
            made(GraphicLayer="ZWIEBELTURM", GraphicLayerOrder=2, GraphicLayerDescription="Zwiebelturm CHEST"),
        ],
        GraphicGroupSequence=[made(GraphicGroupID=1, GraphicGroupLabel="Zita", GraphicGroupDescription="LUNG for Zita")],
        ContentLabel="ZWIEBELTURM",
        ContentDescription="CHEST of Zwiebelturm, 03 17 2021",
    )


def test_texts_keep_the_fields_words_and_layers_lose_their_names() -> None:
    dataset = presentation()
    audit = clean_graphics(dataset, transforms=Answers())
    annotation, other = dataset.GraphicAnnotationSequence
    assert [text.UnformattedTextValue for text in annotation.TextObjectSequence] == ["nodule", "REMOVED", "5 mm"]
    assert annotation.CompoundGraphicSequence[0].UnformattedTextValue == "LUNG"
    assert annotation.CompoundGraphicSequence[0].MajorTicksSequence[0].TickLabel == "REMOVED"
    assert annotation.GraphicObjectSequence[0].GraphicData == [1.0, 2.0, 3.0, 4.0]
    assert [layer.GraphicLayer for layer in dataset.GraphicLayerSequence] == ["LAYER1", "LAYER2"]
    assert (annotation.GraphicLayer, other.GraphicLayer) == ("LAYER2", "LAYER1")
    assert dataset.GraphicLayerSequence[1].GraphicLayerDescription == "CHEST"
    assert (dataset.GraphicGroupSequence[0].GraphicGroupLabel, dataset.GraphicGroupSequence[0].GraphicGroupDescription) == (
        "REMOVED",
        "LUNG",
    )
    assert (dataset.ContentLabel, dataset.ContentDescription) == ("REMOVED", "CHEST")
    assert "wiebel" not in str(dataset).lower()
    assert audit[graphics.TEXT, "clean graphics", "clean"] == 3
    assert audit[graphics.TEXT, "clean graphics", "dummy"] == 1


def test_a_clean_label_stays() -> None:
    dataset = made(ContentLabel="LUNG_WINDOW")
    clean_graphics(dataset, transforms=Answers())
    assert dataset.ContentLabel == "LUNG_WINDOW"


def test_an_empty_state_stays_empty() -> None:
    dataset = made(ContentDescription="", GraphicAnnotationSequence=[])
    assert clean_graphics(dataset, transforms=Answers()) == {}


def test_a_sequence_that_an_annotation_does_not_have_is_refused() -> None:
    dataset = presentation()
    dataset.GraphicAnnotationSequence[0].RequestAttributesSequence = [made(RequestedProcedureID="1")]
    with pytest.raises(SafelightError, match="E-DEID-STRUCTURE"):
        clean_graphics(dataset, transforms=Answers())


@pytest.mark.parametrize("place", ["TEXTS", "COMPOUNDS", "LAYERS", "GROUPS"])
def test_a_place_that_is_forgotten_would_be_found(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, place, 0x00700FFF)
    if place in ("TEXTS", "COMPOUNDS"):
        monkeypatch.setattr(graphics, "_IN_ANNOTATION", frozenset({0x00700008, 0x00700009, 0x00700209, 0x00081140}))
    dataset = presentation()
    clean_graphics(dataset, transforms=Answers())
    assert "zwiebel" in str(dataset).lower() or "zita" in str(dataset).lower()
