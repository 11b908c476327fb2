"""Which published runs are of one family: models of one organisation and one line of names.

Runs of a family share code, cluster and habits, so that an evaluation leaves them out together. A family of
the catalog also takes in the rows of Epoch AI that are of the same organisation and line, and of the same
generation where both name one: Llama 3.1 is of ``llama-3``, not of ``llama-2``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from opencarbon.catalog.names import squeeze
from opencarbon.catalog.organisations import canonical_organisation

_BETWEEN_WORDS: Final = re.compile(r"[\s\-_(),:/]+")
_WORD_AND_DIGITS: Final = re.compile(r"([A-Za-z]{2,}?)(?:(\d+)(?:\.\d+)?)?")
_GENERATION: Final = re.compile(r"[\s\-_]*v?(\d+)(?:\.\d+)?(?=[\s\-_(:/,]|$)", re.IGNORECASE)
"""A number of its own behind the first word, not one of parameters: 3 of " 3.1-405B", nothing of "-7B"."""

_NOT_A_FAMILY: Final = frozenset(
    (
        *("transformer", "gpt", "lstm", "rnn", "cnn", "moe", "nmt", "lm"),
        *("big", "large", "deep", "pooling", "dropout", "relu", "named", "neural", "make"),
    )
)
"""First words of names that say what a model is made of, not which line it is of: two words are taken then.

GPT is the line of OpenAI only.
"""

_SAME_LINE: Final = {("microsoft", "megatron"): "MT"}
"""Lines of Epoch AI that the catalog has by another first word: Megatron-Turing NLG is MT-NLG."""


@dataclass(frozen=True, slots=True)
class _Line:
    """Organisation, first word and generation of a model's name."""

    owner: str
    word: str
    generation: str | None

    @property
    def key(self) -> tuple[str, str]:
        return (squeeze(self.owner), squeeze(self.word))


@dataclass(frozen=True, slots=True)
class Families:
    """Families of the catalog's own runs, by line of names and generation."""

    by_line: Mapping[tuple[str, str], Mapping[str | None, frozenset[str]]]

    @classmethod
    def of(cls, runs: Iterable[tuple[str | None, str | None, str | None]]) -> "Families":
        """Take the families from organisation, model and family of each run."""
        found: dict[tuple[str, str], dict[str | None, frozenset[str]]] = {}
        for organisation, model, family in runs:
            for line in _lines(organisation, model) if family else ():
                generations = found.setdefault(line.key, {})
                generations[line.generation] = generations.get(line.generation, frozenset()) | {str(family)}
        return cls(found)

    def family(self, organisation: str | None, model: str | None) -> str | None:
        """The family of a model.

        Parameters
        ----------
        organisation, model : str or None
            As their source writes them.

        Returns
        -------
        str or None
            The catalog's family of the line of names, under any of the organisations, where it has just one for
            the generation, or else one of no generation; otherwise the first organisation and the first
            word, such as ``"Meta Llama"``, or first two words where one names no line; None without a model.
        """
        lines = _lines(organisation, model)
        for line in lines:
            generations = self.by_line.get(line.key, {})
            known = generations.get(line.generation) or generations.get(None) or frozenset()
            if len(known) == 1:
                return next(iter(known))
        return f"{lines[0].owner} {lines[0].word}".strip() if lines else None


def _lines(organisation: str | None, model: str | None) -> list[_Line]:
    """The line of names of a model, under each of its organisations."""
    name = (model or "").strip()
    owners = (canonical_organisation(organisation) or "").split(", ")
    return [_line(owner, name) for owner in owners] if name else []


def _line(owner: str, name: str) -> _Line:
    """Organisation, first word and generation: Meta, Llama and 2 for "Llama 2-70B"."""
    first, *others = [word for word in _BETWEEN_WORDS.split(name) if word] or [name]
    if squeeze(first) == squeeze(owner) and others:
        first, *others = others
    parts = _WORD_AND_DIGITS.fullmatch(first)
    word, digits = parts.groups() if parts else (first, None)
    if word.casefold() in _NOT_A_FAMILY and (word, owner) != ("GPT", "OpenAI"):
        return _Line(owner, " ".join((first, *others[:1])), None)
    word = _SAME_LINE.get((squeeze(owner), squeeze(word)), word)
    rest = _GENERATION.match(name[name.index(first) + len(first) :])
    return _Line(owner, word, digits or (rest.group(1) if rest else None))
