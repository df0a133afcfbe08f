"""Whether what is locked has known vulnerabilities, by pip-audit: `python -m infra.audit`.

Where the advisories cannot be reached it says so and does not fail: a machine without that way can be worked on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

LOCK: Final = Path(__file__).parents[2] / "requirements.lock"
SECONDS: Final = 90.0
IGNORED: Final[Mapping[str, str]] = {}
"""Advisories that do not concern us, by id, with the reason."""


def main() -> None:
    asked = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run([*asked, *options], capture_output=True, text=True, timeout=SECONDS, check=False)
        found = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, LookupError):
        print("pip-audit: not checked, the advisories cannot be reached")
        return
    print(told(found))
    sys.exit(1 if wrong(found) else 0)


def wrong(found: list[dict[str, Any]]) -> list[str]:
    """A line for each advisory that concerns what is locked."""
    return [
        f"{one['name']} {one['version']}: {advisory['id']}, mended in {', '.join(advisory['fix_versions']) or 'none'}"
        for one in found
        for advisory in one.get("vulns", ())
        if not IGNORED.keys() & {advisory["id"], *advisory.get("aliases", ())}
    ]


def told(found: list[dict[str, Any]]) -> str:
    """What is said of it."""
    unchecked = sum("skip_reason" in one for one in found)
    if unchecked == len(found):
        return f"pip-audit: not checked, the advisories of none of {len(found)} packages can be reached"
    said = [f"pip-audit: {len(found) - unchecked} packages checked, {unchecked} not", *wrong(found)]
    return "\n  ".join(said)


if __name__ == "__main__":
    main()
