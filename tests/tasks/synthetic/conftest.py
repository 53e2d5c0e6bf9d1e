"""A small cohort that shows every hiding place (they depend on the patient's number), made once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.synthetic.cohort import Cohort, make_cohort


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make_cohort(Path(tmp_path_factory.mktemp("synthetic")), patients=8)
