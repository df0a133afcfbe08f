"""Rokt's form of an error, and what is left out of a text that may quote a customer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.rokt.said import Said, read_said, without


@pytest.mark.parametrize(
    ("form", "sentences"),
    [
        ({"description": "No", "errors": [{"code": "A", "message": "a", "value": {}}]}, ["No", "A: a"]),
        ({"errors": [{"code": "A", "message": "a"}, {"code": "B"}, {"message": "c"}, {}]}, ["A: a", "B", "c"]),
        ({"description": None, "errors": [{"code": None, "message": "a"}]}, ["a"]),
        ({}, []),
    ],
)
def test_rokts_form_is_read_as_sentences(form: dict[str, Any], sentences: list[str]) -> None:
    said = read_said(json.dumps(form).encode())
    assert said is not None
    assert said.sentences == sentences


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"\xff", b'{"errors": 1}', b'{"description": {}}', b'{"value":' + b"[" * 100_000]
)
def test_another_form_is_none(body: bytes) -> None:
    assert read_said(body) is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("no ada@example.org here", "no … here"),
        ("attribute_ADA@example.orgs", "attribute_…s"),
        ("10 of 110", "… of 110"),
        (r"Zo\u00eb or Zoë", "… or …"),
        ("blanks around", "… around"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_values_are_left_out_and_short_ones_only_as_words(text: str, left: str) -> None:
    assert without(text, ["ada@example.org", "10", "Zoë", " blanks ", "", " "]) == left


def test_without_values_nothing_is_left_out() -> None:
    assert without("all of it", []) == "all of it"


def test_what_is_absent_says_nothing() -> None:
    assert Said().sentences == []
