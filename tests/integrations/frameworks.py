"""Frameworks that need not be installed: `framework("pydantic_ai", "pydantic-ai")`."""

from __future__ import annotations

import importlib

import pytest


def framework(module: str, extra: str) -> None:
    """If the module of a framework is not here, skip the tests of the module that calls this."""
    try:
        importlib.import_module(module)
    except ImportError:
        pytest.skip(f"needs {extra}: pip install 'greenroom[{extra}]'", allow_module_level=True)
