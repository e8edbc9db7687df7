"""What the node counts, and how it says so on ``/diagnostics``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue


@dataclass
class Counts:
    """Pictures since the node was activated."""

    received: int = 0
    refused: int = 0
    """Pictures that cannot be sent, such as those of 16 bits."""
    replaced: int = 0
    """Pictures that waited when a newer one came."""
    answered: int = 0
    dropped: int = 0
    """Pictures for which the server had no time."""
    faults: int = 0
    faces: int = 0
    """Faces in the last answer."""

    def diagnostics(self, stamp: Any, name: str, trouble: str, *, connected: bool) -> DiagnosticArray:
        """An error without a connection, a warning with a ``trouble``, else fine."""
        if not connected and trouble:
            level, message = DiagnosticStatus.ERROR, trouble
        elif not self.answered:
            level, message = DiagnosticStatus.WARN, trouble or "no answer yet"
        else:
            level, message = (DiagnosticStatus.WARN, trouble) if trouble else (DiagnosticStatus.OK, "answers come")
        values = [KeyValue(key=field.name, value=str(getattr(self, field.name))) for field in fields(self)]
        status = DiagnosticStatus(level=level, name=f"{name}: stream", message=message, hardware_id="", values=values)
        array = DiagnosticArray(status=[status])
        array.header.stamp = stamp
        return array
