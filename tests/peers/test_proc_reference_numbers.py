"""AUCs and DeLong intervals of the aSAH set are those that pROC prints (Robin et al. 2011; the set is Turck et al. 2010).

The data are read from Debian's package r-cran-proc where it is installed; R itself is not needed. Elsewhere: `apt-get download
r-cran-proc`, `dpkg -x` it, and name its folder `…/site-library/pROC` in SAFELIGHT_PROC.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tasks.evaluation.curves import auc
from tasks.evaluation.paired import paired_auc
from tasks.evaluation.readers import one_reader
from tests.peers import programs
from tests.peers.r_data import data_frame

PACKAGE = Path(os.environ.get("SAFELIGHT_PROC", "/usr/lib/R/site-library/pROC"))
#: pROC 1.18.0, `ci.auc(aSAH$outcome, aSAH$…)`: marker, AUC, 95 % interval.
PRINTED = [
    ("s100b", 0.731368563686, (0.630118211762, 0.832618915610)),
    ("wfns", 0.823678861789, (0.748534887819, 0.898822835758)),
    ("ndka", 0.611957994580, (0.501244999272, 0.722670989888)),
]


@pytest.fixture(autouse=True)
def _package() -> None:
    if not PACKAGE.is_dir():
        said = "r-cran-proc is not there: see this module's description"
        if programs.required():
            pytest.fail(said, pytrace=False)
        pytest.skip(said)


@pytest.mark.parametrize(("marker", "area", "interval"), PRINTED)
def test_auc_and_delong_interval_are_those_of_proc(marker, area, interval):
    frame = data_frame(PACKAGE, "aSAH")
    found = auc(frame[marker].astype(np.float64), frame["outcome"] == 2, transform="none")
    assert found.method == "DeLong"
    assert found.estimate == pytest.approx(area, abs=1e-11)
    assert (found.lower, found.upper) == pytest.approx(interval, abs=1e-11)


def test_paired_delong_is_that_of_proc():
    # pROC 1.18.0, `roc.test(roc(outcome, s100b), roc(outcome, wfns), paired = TRUE)`
    frame = data_frame(PACKAGE, "aSAH")
    markers = [frame[name].astype(np.float64) for name in ("s100b", "wfns")]
    found = paired_auc(*markers, frame["outcome"] == 2)
    assert found.p == pytest.approx(0.0271757822, abs=1e-10)
    spread = (found.difference.upper - found.difference.estimate) / 1.959963984540054
    assert found.difference.estimate / spread == pytest.approx(-2.208983591, abs=1e-9)
    alone = one_reader(*markers, frame["outcome"] == 2)
    assert alone.p == pytest.approx(0.0271757822, abs=1e-10)
