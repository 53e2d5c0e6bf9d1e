"""A report as a folder: its faces, the results that they are made of, and the manifest of it all."""

from __future__ import annotations

from tasks.evaluation.results import Results
from tasks.report.publishing.manifest import MANIFEST, RESULTS, describe
from tasks.report.render import faces


def folder(results: Results, content: bytes | None = None) -> dict[str, bytes]:
    """Path → content of every file, the manifest last; the same results give the same bytes.

    Args:
        content: `results.json` as it was read; made anew where it is left out.

    Raises:
        SafelightError: E-REPORT-MISMATCH where the results contradict themselves.
    """
    files = faces(results) | {RESULTS: canonical(results) if content is None else content}
    return dict(sorted(files.items())) | {MANIFEST: describe(results, files).to_json()}


def canonical(results: Results) -> bytes:
    """The results as `safelight evaluate` writes them."""
    return (results.model_dump_json(indent=1) + "\n").encode()
