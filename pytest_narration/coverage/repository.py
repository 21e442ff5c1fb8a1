"""Git -> what the files of a repository were at another commit, and which of them changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CatalogError

__all__ = ["Changed", "Repository"]

_SECONDS = 30
_FETCH = "In CI, check out the whole history (actions/checkout: fetch-depth: 0)"


@dataclass(frozen=True, slots=True)
class Changed:
    """Names of files that differ; one that was renamed is in both, under either name."""

    before: tuple[str, ...]
    """Those that the commit has."""
    now: tuple[str, ...]
    """Those that the working tree has, also untracked ones."""


class Repository:
    """The repository around the current folder.

    :raises CatalogError: git is missing, or there is no repository.
    """

    def __init__(self) -> None:
        self.root = Path(os.fsdecode(_git("rev-parse", "--show-toplevel").rstrip(b"\n")))

    def merge_base(self, base: str) -> str:
        """Return the commit where HEAD left ``base``.

        :raises CatalogError: ``base`` is unknown here, or has no history in common with HEAD.
        """
        verify = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        for name in (base, "HEAD"):
            if self._optional(*verify, f"{name}^{{commit}}") is None:
                raise CatalogError(f"{name!r} is no commit of this repository. {_FETCH}")
        found = self._optional("merge-base", "--end-of-options", base, "HEAD")
        if found is not None:
            return found.decode().strip()
        shallow = self._git("rev-parse", "--is-shallow-repository").strip() == b"true"
        why = "this clone is shallow: git fetch --unshallow" if shallow else "they are unrelated"
        raise CatalogError(f"{base!r} and HEAD have no commit in common; {why}. {_FETCH}")

    def name_of(self, path: Path) -> str:
        """Return how git names a file of the working tree.

        :raises CatalogError: it is outside of the repository.
        """
        path, root = path.resolve(), self.root.resolve()
        if not path.is_relative_to(root):
            raise CatalogError(
                f"{path} is not in the repository {root}, which has no history of it"
            )
        return path.relative_to(root).as_posix()

    def read(self, commit: str, name: str) -> bytes | None:
        """Return a file as it was at a commit, ``None`` when there was none."""
        return self._optional("show", "--end-of-options", f"{commit}:{name}")

    def changed(self, commit: str, pattern: str) -> Changed:
        """Compare the working tree with a commit, as far as files of the pattern go."""
        listed = self._git("diff", "--no-renames", "--name-status", "-z", commit, "--", pattern)
        words = [os.fsdecode(word) for word in listed.split(b"\0")]
        status = list(zip(words[::2], words[1::2], strict=False))
        fresh = self._git("ls-files", "--others", "--exclude-standard", "-z", "--", pattern)
        untracked = [os.fsdecode(word) for word in fresh.split(b"\0") if word]
        return Changed(
            before=tuple(name for how, name in status if how != "A"),
            now=(*(name for how, name in status if how != "D"), *untracked),
        )

    def _git(self, *arguments: str) -> bytes:
        return _git(*arguments, cwd=self.root)

    def _optional(self, *arguments: str) -> bytes | None:
        done = _run(arguments, self.root)
        return done.stdout if done.returncode == 0 else None


def _git(*arguments: str, cwd: Path | None = None) -> bytes:
    done = _run(arguments, cwd)
    if done.returncode != 0:
        told = os.fsdecode(done.stderr).strip()
        raise CatalogError(f"git {' '.join(arguments)} failed: {told}")
    return done.stdout


def _run(arguments: Sequence[str], cwd: Path | None) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments], capture_output=True, cwd=cwd, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CatalogError(f"git {arguments[0]} did not run: {error}") from error
