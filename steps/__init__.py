"""Gherkin phrases that name the reference cluster; each is a line or two over the public API.

``tests/scenarios`` binds them to the files in ``features/``.
"""
