"""A file or folder of Python -> its modules, parsed; and the files that cannot be, with the reason.

Nothing is imported or run. Scans for call sites, and the search for a point's line, read source
through here.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import CatalogError

__all__ = ["Module", "PassOver", "modules", "parse"]

PassOver = Callable[[Path, str], None]
"""Is told of a file that is left out, and why."""

_SKIPPED = ("node_modules", "__pycache__", "site-packages", "venv", "build", "dist")


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed file."""

    path: Path
    tree: ast.Module


def modules(root: Path, pass_over: PassOver | None = None) -> Iterator[Module]:
    """Yield the modules of a file, or of every ``.py`` file below a folder, in order of paths.

    Hidden folders, virtual environments and built copies are left out.

    :param pass_over: is told of each file that cannot be read or parsed.
    """
    for path in _files(root):
        try:
            tree = parse(path.read_bytes(), path)
        except OSError as error:
            _tell(pass_over, path, error.strerror or str(error))
        except CatalogError as error:
            _tell(pass_over, path, str(error))
        else:
            yield Module(path, tree)


def parse(source: bytes | str, path: Path) -> ast.Module:
    """Parse one module; bytes are decoded as Python does, by their mark or coding line.

    :raises CatalogError: the source is not Python of this interpreter's version.
    """
    try:
        with warnings.catch_warnings():
            # A doubtful escape is the author's matter; as an error it would hide the whole file.
            warnings.simplefilter("ignore")
            return ast.parse(source, filename=str(path))
    except SyntaxError as error:
        line = f" (line {error.lineno})" if error.lineno else ""
        raise CatalogError(f"not Python as this version reads it: {error.msg}{line}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, nesting without end
        raise CatalogError(f"not Python as this version reads it: {error}") from error


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    return sorted(
        file
        for file in root.rglob("*.py")
        if not any(p.startswith(".") or p in _SKIPPED for p in file.relative_to(root).parts)
        and not file.is_dir()
    )


def _tell(pass_over: PassOver | None, path: Path, why: str) -> None:
    if pass_over is not None:
        pass_over(path, why)
