"""What the project is built of: locked, audited, and built by actions that cannot change under it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from infra import audit

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
ADVISORY = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1"]}
SOUND: dict[str, Any] = {"name": "sound", "version": "1.0", "vulns": []}
UNSOUND: dict[str, Any] = {"name": "unsound", "version": "1.0", "vulns": [ADVISORY]}
UNCHECKED: dict[str, Any] = {"name": "unchecked", "version": "1.0", "skip_reason": "not found"}


def test_an_advisory_is_told_with_its_mend_and_fails() -> None:
    assert audit.wrong([SOUND, UNSOUND]) == ["unsound 1.0: PYSEC-2026-1, mended in 1.1"]
    assert "2 packages checked, 1 not" in audit.told([SOUND, UNSOUND, UNCHECKED])
    assert "PYSEC-2026-1" in audit.told([SOUND, UNSOUND, UNCHECKED])


def test_what_could_not_be_checked_is_said() -> None:
    assert audit.told([UNCHECKED, UNCHECKED]) == (
        "pip-audit: not checked, the advisories of none of 2 packages can be reached"
    )
    assert audit.wrong([UNCHECKED]) == []


def test_what_is_ignored_has_a_reason() -> None:
    assert all(reason.strip() for reason in audit.IGNORED.values())


def test_the_workflow_runs_what_runs_anywhere_else() -> None:
    [job] = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert job["timeout-minutes"] <= 60


def test_the_workflow_may_only_read_and_uses_actions_by_their_commit() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    used = re.findall(r"uses: (\S+)(.*)", WORKFLOW.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


def test_no_lock_names_where_it_was_had_from() -> None:
    for lock in (ROOT / "requirements.lock", *(ROOT / "deploy").glob("*.lock")):
        assert not re.search(r"https?://|--index|--find-links", lock.read_text()), lock.name
