"""The dictionary that the repository shows is that of the contracts."""

from pathlib import Path

import opencarbon.tables
from opencarbon.publishing.dictionary import dictionary_markdown


def test_it_is_current() -> None:
    page = Path(opencarbon.tables.__file__).parent / "dictionary.md"
    assert page.read_text(encoding="utf-8") == dictionary_markdown(), (
        "opencarbon dictionary --out opencarbon/tables/dictionary.md writes it anew"
    )
