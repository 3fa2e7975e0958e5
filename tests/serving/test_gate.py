from __future__ import annotations

import pytest

from onnxviz.serving.gate import Gate

GATE = Gate(frozenset({"127.0.0.1:8000", "localhost:8000"}), "secret")


@pytest.mark.parametrize(
    ("headers", "token", "words"),
    [
        ({"host": "127.0.0.1:8000"}, "secret", ""),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, "secret", ""),
        ({"host": "127.0.0.1:8000"}, "", "the token is missing or wrong"),
        ({"host": "127.0.0.1:8000"}, "sécret", "the token is missing or wrong"),
        ({"host": "evil.example:8000"}, "secret", "reached under another address"),
        ({"host": "127.0.0.1:9000"}, "secret", "reached under another address"),
        ({}, "secret", "reached under another address"),
        ({"host": "127.0.0.1:8000", "origin": "http://evil.example"}, "secret", "another origin"),
        ({"host": "127.0.0.1:8000", "origin": "null"}, "secret", "another origin"),
    ],
)
def test_who_may_ask(headers: dict[str, str], token: str, words: str) -> None:
    refusal = GATE.refusal(headers, token)
    assert words in refusal
    assert bool(refusal) == bool(words)


def test_every_gate_has_a_token_of_its_own() -> None:
    tokens = {Gate(frozenset()).token for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32
