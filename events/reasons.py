"""Why a connector set a record aside that it could not read: the reasons of `ChangeQuarantined` that people are told in other words."""

from __future__ import annotations

NOT_SHOWN = "is not shown"
UNANSWERED = "has no answer again and again"
MISFIT = "does not fit"
