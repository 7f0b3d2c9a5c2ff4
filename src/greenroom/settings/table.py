"""The settings as a table for the documentation."""

from __future__ import annotations

import attrs

from greenroom.settings import values as expected
from greenroom.settings.settings import Settings
from greenroom.settings.sources import PREFIX


def settings_table() -> str:
    """The settings as a Markdown table (docs/settings.md is made of it)."""
    head = "| setting | variable | default | what it is |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{name}` | `{PREFIX}{name.upper()}` | {expected.default_words(field.default)} "
        f"| {field.metadata['about']} Expected: {field.metadata['expected'].words}. |\n"
        for name, field in attrs.fields_dict(Settings).items()
    )
