"""Turn lost correlation ids, cross-talk between jobs and silent failures into failing tests.

Services import :mod:`pytest_narration.emit`; tests use the fixtures of
:mod:`pytest_narration.plugin`. Importing this package costs nothing.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
