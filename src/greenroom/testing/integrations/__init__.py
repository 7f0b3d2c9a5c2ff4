"""The suite that every module for an agent framework passes: see `IntegrationConformance`."""

from greenroom.testing.integrations.conformance import IntegrationConformance
from greenroom.testing.integrations.script import (
    CallTool,
    Fail,
    ModelFailed,
    Script,
    Speak,
    Think,
    Wait,
)
from greenroom.testing.integrations.suite_tools import SuiteTools

__all__ = [
    "CallTool",
    "Fail",
    "IntegrationConformance",
    "ModelFailed",
    "Script",
    "Speak",
    "SuiteTools",
    "Think",
    "Wait",
]
