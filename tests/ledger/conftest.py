"""The databases that the contract is tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.ledgers import KINDS, Database, Kind
from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=KINDS, ids=str)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind in turn."""
    kind: Kind = request.param
    try:
        return kind.begin(request, tmp_path)
    except UnavailableError as error:
        pytest.skip(error.reason)
