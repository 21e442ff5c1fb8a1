"""The services of the reference cluster; each is a program: ``python -m harness.services.worker``.

They import :mod:`pytest_narration.emit` and nothing else of the package: to the tests they are
strangers that print JSON lines.
"""
