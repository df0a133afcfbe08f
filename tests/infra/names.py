"""Host names that come and go for one process and what it starts, by a file of hosts that nobody else sees.

The process gets a mount namespace of its own (Linux, `unshare`; no rights are needed where users may make
namespaces), in which its own files lie over /etc/hosts and /etc/nsswitch.conf: the resolver under test is the
system's, the machine's files stay as they are, and no name server is asked.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
OVER = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@"'


class Names:
    """The names that the process knows besides `localhost`."""

    def __init__(self, folder: Path) -> None:
        self._hosts = folder / "hosts"
        self._order = folder / "nsswitch.conf"
        self._order.write_text("passwd: files\ngroup: files\nhosts: files\n")
        self.are()

    def are(self, *hosts: str) -> None:
        """These and no others, from now on; each is this machine."""
        self._hosts.write_text("".join(f"{LOOPBACK} {name}\n" for name in ("localhost", *hosts)))

    def command(self, command: Sequence[str]) -> list[str]:
        """The command that runs with these names, as the same process."""
        own = ["unshare", "--user", "--map-root-user", "--mount"]
        return [*own, "sh", "-c", OVER, "sh", str(self._hosts), str(self._order), *command]

    def work(self) -> bool:
        """Whether this machine lets us."""
        if shutil.which("unshare") is None:
            return False
        return subprocess.run(self.command(["true"]), capture_output=True, check=False, timeout=10).returncode == 0
