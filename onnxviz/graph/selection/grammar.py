"""The selection language as text: parses `conv & depth<=4, !pool[-1]` into terms, and points at what it cannot read.

    selection = term { "," term }
    term      = [ "!" ] factor { "&" factor }
    factor    = primary [ "[" integer or slice "]" ]
    primary   = "all" | kind | name | field op value | "(" selection ")"

`evaluation.py` says what the terms mean in a model.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from fractions import Fraction

from onnxviz.errors import SelectionError
from onnxviz.graph.operators.table import KINDS
from onnxviz.graph.selection.messages import pointed
from onnxviz.words import near, shown

NUMBER_FIELDS = ("depth", "channels", "height", "width", "stride", "rf", "rank")
TEXT_FIELDS = ("kind", "op", "dtype", "scope", "node", "value")
KEYWORDS = ("all", *KINDS)

_OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_MISSPELT = {"==": "=", "=<": "<=", "=>": ">=", "<>": "!=", "=!": "!=", "~=": "!="}
_DEEPEST = 64

_WORD = re.compile(r"""[^,&!()\[\]=<>"']+""")
_OPERATOR = re.compile(r"!\s*=|[=<>][=<>!]*")
_QUOTED = re.compile(r""""((?:[^"]|"")*)"|'((?:[^']|'')*)'""")
_BLANK = re.compile(r"\s*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18}|/0*[1-9][0-9]{0,17})?")


@dataclass(frozen=True, slots=True)
class Word:
    """`all` or a kind."""

    text: str
    place: int = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a node or value, or a glob over these and scopes; `literal` where it was quoted."""

    text: str
    literal: bool
    place: int = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """A field compared with a number or with a text."""

    field: str
    operator: str
    value: int | Fraction | str
    literal: bool
    place: int = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Factor:
    """What a term asks for, and which of it."""

    primary: Word | Name | Condition | Selection
    index: int | slice | None = None

    @property
    def reaches_others(self) -> bool:
        """Whether it asks for nodes that are not layers."""
        match self.primary:
            case Selection(reaches_others=reaches):
                return reaches
            case Word(text="other") | Condition(field="kind", operator="=", value="other"):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Term:
    """Factors that must all hold, to be added or taken away; `start` and `end` are its place in the text."""

    negated: bool
    factors: tuple[Factor, ...]
    start: int = dataclasses.field(compare=False)
    end: int = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """A parsed selection with the text that it came from."""

    text: str = dataclasses.field(compare=False, repr=False)
    terms: tuple[Term, ...]
    reaches_others: bool = dataclasses.field(compare=False, repr=False)

    @property
    def place(self) -> int:
        """Where it starts in the text."""
        return self.terms[0].start


def parse(text: str) -> Selection:
    """Parse a selection.

    Raises:
        SelectionError: It cannot be read; the second line of the text points at the place.

    >>> [term.negated for term in parse("conv[0], !pool & depth<4").terms]
    [False, True]
    """
    return _Parser(text).whole()


def exact(text: str) -> Selection:
    """Return the selection that takes the whole text as one name, whatever its characters."""
    return Selection(text, (Term(False, (Factor(Name(text, True, 0)),), 0, len(text)),), False)


class _Parser:
    """Reads from left to right; `place` is the first character that is not yet read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0

    def whole(self) -> Selection:
        self.skip()
        if self.place == len(self.text):
            raise self.error("the selection is empty; `conv,pool` takes all layers of two kinds, `all` every layer")
        selection = self.selection()
        if self.place < len(self.text):
            raise self.unexpected()
        return selection

    def selection(self) -> Selection:
        terms = [self.term()]
        while self.take(","):
            terms.append(self.term())
        return Selection(self.text, tuple(terms), any(f.reaches_others for term in terms for f in term.factors))

    def term(self) -> Term:
        self.skip()
        start = self.place
        negated = self.take("!")
        factors = [self.factor()]
        while self.take("&"):
            factors.append(self.factor())
        return Term(negated, tuple(factors), start, self.place)

    def factor(self) -> Factor:
        primary = self.primary()
        if not self.take("["):
            return Factor(primary)
        start = self.place
        end = self.text.find("]", start)
        if end < 0:
            raise self.error("this `[` is not closed", start - 1)
        index = self.index(self.text[start:end], start)
        self.place = end + 1
        if self.take("["):
            raise self.error("one index a factor; `(conv[::2])[0]` indexes what another index left", self.place - 1)
        return Factor(primary, index)

    def primary(self) -> Word | Name | Condition | Selection:
        self.skip()
        start = self.place
        if self.take("("):
            return self.group(start)
        quoted, literal = self.value()
        if quoted is None:
            raise self.missing()
        operator = None if literal else self.operator(quoted, start)
        if operator is not None:
            return self.condition(quoted, operator, start)
        if not literal and quoted in KEYWORDS:
            return Word(quoted, start)
        return Name(quoted, literal, start)

    def group(self, start: int) -> Selection:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error(f"parentheses nest deeper than {_DEEPEST}", start)
        selection = self.selection()
        if not self.take(")"):
            if self.place < len(self.text):
                raise self.unexpected()
            raise self.error("this `(` is not closed", start)
        self.depth -= 1
        return selection

    def value(self) -> tuple[str | None, bool]:
        """Read a word or a quoted text; None where neither stands. The flag tells that it was quoted."""
        self.skip()
        if self.text[self.place : self.place + 1] in ('"', "'"):
            found = _QUOTED.match(self.text, self.place)
            if found is None:
                raise self.error("this quote is not closed; one inside a name is written twice")
            self.place = found.end()
            double, single = found.groups()
            return (double.replace('""', '"') if single is None else single.replace("''", "'")), True
        found = _WORD.match(self.text, self.place)
        if found is None:
            return None, False
        self.place = found.end()
        return found[0].rstrip(), False

    def operator(self, word: str, start: int) -> str | None:
        found = _OPERATOR.match(self.text, self.place)
        if found is None:
            return None
        operator = "".join(found[0].split())
        if word.endswith("~"):
            operator, word = "~" + operator, word[:-1]
        if operator not in _OPERATORS:
            instead = _MISSPELT.get(operator)
            offer = f"write `{instead}`" if instead else f"comparisons are {' '.join(_OPERATORS)}"
            raise self.error(f"`{shown(operator)}` is not a comparison; {offer}")
        fields = (*TEXT_FIELDS, *NUMBER_FIELDS)
        if word not in fields:
            close = near(word, fields) or f"; fields are {' '.join(fields)}"
            raise self.error(
                f"`{shown(word)}` is not a field{close}; a name with `{operator}` in it needs quotes", start
            )
        self.place = found.end()
        return operator

    def condition(self, name: str, operator: str, start: int) -> Condition:
        self.skip()
        place = self.place
        value, literal = self.value()
        if value is None:
            raise self.error(f"a value is missing after `{name}{operator}`")
        if name in TEXT_FIELDS:
            if operator not in ("=", "!="):
                raise self.error(f"`{name}` is text, and `{operator}` compares numbers; use = or !=", place)
            return Condition(name, operator, value, literal, start)
        if not _NUMBER.fullmatch(value):
            raise self.error(f"`{name}` is compared with a number, and `{shown(value)}` is not one", place)
        number = Fraction(value)
        return Condition(name, operator, int(number) if number.denominator == 1 else number, literal, start)

    def index(self, inner: str, start: int) -> int | slice:
        parts = [part.strip() for part in inner.split(":", 3)]
        given = [int(part) if _INTEGER.fullmatch(part) else None for part in parts]
        if len(parts) == 1 and given[0] is not None:
            return given[0]
        readable = all(number is not None or not part for part, number in zip(parts, given, strict=True))
        if len(parts) not in (2, 3) or not readable:
            raise self.error("an index is an integer or a slice, such as [0], [-1], [2:8] or [::4]", start)
        if given[2:] == [0]:
            raise self.error("the step of a slice cannot be 0", start)
        return slice(*given)

    def skip(self) -> None:
        found = _BLANK.match(self.text, self.place)
        self.place = found.end() if found else self.place

    def take(self, sign: str) -> bool:
        self.skip()
        if not self.text.startswith(sign, self.place):
            return False
        self.place += 1
        return True

    def missing(self) -> SelectionError:
        sign = self.text[self.place : self.place + 1]
        if sign == "!":
            return self.error("`!` takes a whole term away: write `conv, !pool`, without & or a second !")
        found = f"before `{sign}`" if sign else "at the end"
        return self.error(f"a layer is missing {found}: a kind, a name, a field such as depth<4, or `all`")

    def unexpected(self) -> SelectionError:
        sign = self.text[self.place]
        if sign == "!":
            return self.error("`!` stands at the start of a term; put a comma before it")
        if sign == ")":
            return self.error("this `)` closes nothing")
        return self.error(f"`{shown(sign)}` cannot stand here; a name that holds it needs quotes, and terms a comma")

    def error(self, message: str, place: int | None = None) -> SelectionError:
        return SelectionError(pointed(self.text, self.place if place is None else place, message))
