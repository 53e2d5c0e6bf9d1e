"""Seconds of the stage `publish` (the lake's results become all faces of the report), against its floor: one compile of the finished source.

    python -m benchmarks.publish [--repeat 3] [--attributes 12]

The floor is Typst's compile of the report's finished source: its text and its figures as files. Below the stage stand its parts: what each
face takes of the same document, and the document itself, whose figures are drawn with matplotlib. The last line is the most memory that
the process ever held, and the processor's time of one stage.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import typst

from benchmarks.measure import Contender, alternate, arguments, show
from benchmarks.tables import ATTRIBUTES, plan, tables
from tasks.evaluation.analysis import analyse
from tasks.evaluation.output import files
from tasks.evaluation.results import Results
from tasks.lake import Lake
from tasks.report import csv, docx, html, pdf, xlsx
from tasks.report.blocks import Document
from tasks.report.document import make
from tasks.report.stage import publish_report


def finished_source(document: Document, folder: Path) -> partial[bytes]:
    """Keep the source that the PDF is compiled from in `folder`; return the compile of it, with the stage's own options."""
    compile_: Callable[..., bytes] = typst.compile
    kept: dict[str, Any] = {}

    def keep(source: Path, **options: Any) -> bytes:
        shutil.copytree(source.parent, folder)
        kept.update(options)
        return compile_(source, **options)

    with patch("tasks.report.pdf.typst.compile", keep):
        pdf.render(document)
    return partial(compile_, folder / "report.typ", **kept)


def main(given: Sequence[str] | None = None) -> None:
    """Measure the report of a cohort with many subgroups."""
    parser = arguments(__doc__, repeat=3)
    parser.add_argument("--rows", type=int, default=2000, help="studies behind the results (default: %(default)s)")
    parser.add_argument("--attributes", type=int, default=ATTRIBUTES, help="with five subgroups each (default: %(default)s)")
    said = parser.parse_args(given)
    results = analyse(*tables(said.rows, said.attributes), plan(said.attributes))
    content = files(results)["results.json"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake.open(folder / "lake")

        def clear() -> None:
            shutil.rmtree(folder / "lake")
            (folder / "lake" / "results").mkdir(parents=True)
            (folder / "lake" / "results" / "results.json").write_bytes(content)

        document = make(Results.model_validate_json(content))
        timed = alternate(
            [
                Contender("stage", lambda: publish_report(lake), clear),
                Contender("floor: Typst compiles the finished source", finished_source(document, folder / "source")),
                Contender("document with its figures", lambda: make(results)),
                Contender("HTML of the document", lambda: html.render(document)),
                Contender("PDF of the document", lambda: pdf.render(document)),
                Contender("archival PDF of the document", lambda: pdf.render(document, archive=content)),
                Contender("Word of the document", lambda: docx.render(document)),
                Contender("workbook of the document", lambda: xlsx.render(document)),
                Contender("CSV of the document", lambda: csv.render(document)),
            ],
            said.repeat,
        )
        clear()
        begun = time.process_time()
        publish_report(lake)
        spent = time.process_time() - begun
    show(f"publish, a report with {len(results.performance)} rows", timed[0], timed[1:2], parts=timed[2:])
    print(
        f"  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most, {spent:.1f} s of one processor for the stage"
    )


if __name__ == "__main__":
    main()
