"""An XML schema of the applied model card, built from the derived facts by a way of its own, and a validator of another's making."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from xml.sax.saxutils import quoteattr

import xmlschema

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"


def schema() -> str:
    """The facts as XML Schema 1.0, one named type a parent."""
    table = files("configs").joinpath("standards", "chai_applied_model_card_v0_2.csv").read_text("utf-8")
    children: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(table.splitlines()):
        children.setdefault(row["path"].rpartition("/")[0], []).append(row)
    types = []
    for parent, rows in children.items():
        elements = "".join(
            f"<xs:element name={quoteattr(row['path'].rpartition('/')[2])} minOccurs={quoteattr(row['minimum'])} "
            f"maxOccurs={quoteattr(row['maximum'] or 'unbounded')} "
            f"type={quoteattr('xs:string' if row['content'] == 'text' else 'mc:' + row['path'].replace('/', '.'))}/>"
            for row in rows
        )
        types.append(
            f"<xs:complexType name={quoteattr(parent.replace('/', '.'))}><xs:sequence>{elements}</xs:sequence></xs:complexType>"
        )
    return (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:mc="{NAMESPACE}" targetNamespace="{NAMESPACE}" '
        f'elementFormDefault="qualified"><xs:element name="AppliedModelCard" type="mc:AppliedModelCard"/>{"".join(types)}</xs:schema>'
    )


@cache
def validator() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(schema())
