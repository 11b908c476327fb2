"""What a run holds for people beside its tables: a README, views for tools that speak SQL, and its report.

A run that was stored before there were any is whole without them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from opencarbon.publishing.layout import README, REPORT, VIEWS
from opencarbon.publishing.release_readme import release_readme
from opencarbon.publishing.views import views_of_run
from opencarbon.tables.contracts import Contract


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """What the record of a run tells of a document.

    Parameters
    ----------
    bytes : int
    sha256 : str
    """

    bytes: int
    sha256: str


def documents_of(
    staged: Path, package: Mapping[str, Any], contracts: Mapping[str, Contract]
) -> dict[str, bytes]:
    """Documents of a run that is staged.

    Parameters
    ----------
    staged : Path
        Its directory, with a report where one was made.
    package : mapping of str to Any
        Its dictionary.
    contracts : mapping of str to Contract

    Returns
    -------
    dict of str to bytes
        Contents by file name.
    """
    found = {
        README: release_readme(contracts).encode(),
        VIEWS: views_of_run(package["resources"]).encode(),
    }
    if (staged / REPORT).is_file():
        found[REPORT] = (staged / REPORT).read_bytes()
    return found


def document_record(content: bytes) -> DocumentRecord:
    """What the record tells of a document.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    DocumentRecord
    """
    return DocumentRecord(len(content), sha256(content).hexdigest())


def documents_of_record(record: bytes) -> dict[str, DocumentRecord]:
    """Documents that the record of a run names.

    Parameters
    ----------
    record : bytes

    Returns
    -------
    dict of str to DocumentRecord
        None in records of before there were documents.

    Raises
    ------
    ValueError, TypeError, AttributeError
        If it is no record.
    """
    documents = json.loads(record).get("documents", {})
    return {name: DocumentRecord(**document) for name, document in documents.items()}
