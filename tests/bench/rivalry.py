"""Where the rivals are installed: in an environment of their own beside the worker's, of the same Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.arms import Rival

FOLDER: Final = Path(sys.prefix).with_name(".venv-rivals")
PINNED: Final = Path(__file__).parent / "rivals" / "requirements.txt"
INSTALL_SECONDS: Final = 300.0
NEEDS: Final[dict[Rival, str]] = {
    "plain": "httpx",
    "batches-httpx": "httpx",
    "bare": "aiohttp",
    "pyrallel": "pyrallel_consumer",
    "faststream": "faststream",
}


def python() -> tuple[Path | None, str]:
    """The interpreter that has them; else why there is none."""
    found, ready = FOLDER / "bin" / "python", FOLDER / PINNED.name
    if ready.exists() and ready.read_bytes() == PINNED.read_bytes():
        return found, ""
    pip = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(PINNED)]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True, timeout=INSTALL_SECONDS)
        subprocess.run(pip, check=True, timeout=INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        return None, type(error).__name__
    ready.write_bytes(PINNED.read_bytes())
    return found, ""


def installed(found: Path, rival: Rival) -> bool:
    """Whether there is what a rival needs; some want a later Python than ours."""
    return (
        subprocess.run([str(found), "-c", f"import {NEEDS[rival]}"], check=False, capture_output=True).returncode == 0
    )
