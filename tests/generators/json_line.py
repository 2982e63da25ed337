"""JSON on one line."""

from __future__ import annotations

import json
from typing import Any


def line(content: Any) -> str:
    """JSON on one line, without blanks."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
