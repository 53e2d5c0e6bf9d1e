"""What monitoring found to be out of its limits, for `safelight status`: read from the lake's manifests alone."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.lake import Lake

STAGE = "monitor"


def alerts(lake: Lake) -> Iterator[str]:
    """One line for each monitoring report of the lake that has alerts."""
    for published in lake.manifests(STAGE):
        n = sum(count.n for count in published.tally if count.outcome == "alert")
        path = next(path for path in published.files if path.endswith("/monitoring.json"))
        if n:
            yield f"monitoring: {n} alerts in {path}"
