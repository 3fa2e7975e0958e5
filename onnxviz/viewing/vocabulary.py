"""The words of a text model, from the vocabulary that lies beside its file: `vocab.txt` or `tokenizer.json`.

vocab.txt        [PAD]         line 0 is the word of id 0
                 the           id 1
tokenizer.json   {"model": {"vocab": {"the": 1}}, "added_tokens": [{"id": 0, "content": "[PAD]"}]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_LARGEST = 1 << 26
"""More bytes are not a vocabulary."""

_MARKS = str.maketrans("Ġ▁", "  ")
"""What tokenizers write for the blank before a word."""


@lru_cache(maxsize=1)
def words_beside(model: Path, rows: int) -> Mapping[int, str]:
    """Return the word of each id from the vocabulary beside a model; empty where there is none, or another model's.

    Args:
        model: its file.
        rows: how many words its table has; a vocabulary of more is of another model.
    """
    for name, read in (("tokenizer.json", _of_tokenizer), ("vocab.txt", _of_lines)):
        path = model.parent / name
        try:
            if not path.is_file() or path.stat().st_size > _LARGEST:
                continue
            words = dict(read(path.read_text("utf-8")))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue  # whatever it is, it names no ids
        if words and max(words) < rows:
            return words
    return {}


def _of_lines(text: str) -> Iterable[tuple[int, str]]:
    return enumerate(map(_shown, text.removesuffix("\n").split("\n"))) if text else ()


def _of_tokenizer(text: str) -> Iterator[tuple[int, str]]:
    document: Mapping[str, Any] = json.loads(text)
    vocabulary = document["model"]["vocab"]
    if isinstance(vocabulary, list):  # of words with their scores
        yield from enumerate(_shown(word) for word, _ in vocabulary)
    else:
        yield from ((int(number), _shown(word)) for word, number in vocabulary.items())
    yield from ((int(token["id"]), _shown(token["content"])) for token in document.get("added_tokens", ()))


def _shown(word: str) -> str:
    """Return a word without the mark of the blank before it, unless it is nothing else."""
    return word.translate(_MARKS).strip() or word
