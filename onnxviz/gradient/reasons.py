"""Why an operator has no rule: what a refusal says of it. Each operator of the table has a rule or stands here."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {}
