"""The setting that says in which transfer syntaxes a target gets images."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from mercure.config.basics import TransferSyntaxes

SETTING: TypeAdapter[tuple[str, ...]] = TypeAdapter(TransferSyntaxes)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("as-needed", ("as-needed",)),
        (["uncompressed"], ("uncompressed",)),
        ("1.2.840.10008.1.2.1, 1.2.840.10008.1.2", ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")),
        (["1.2.840.10008.1.2.4.90"], ("1.2.840.10008.1.2.4.90",)),
    ],
)
def test_a_word_or_uids(written: object, read: tuple[str, ...]) -> None:
    assert SETTING.validate_python(written) == read


@pytest.mark.parametrize(
    "written", ["as-need", "", [], ["as-needed", "as-received"], ["as-needed", "1.2.840.10008.1.2"], "1.2;3", "1" * 65]
)
def test_anything_else_is_refused_with_what_is_possible(written: object) -> None:
    with pytest.raises(ValidationError, match="'as-needed', 'as-received', 'uncompressed' alone"):
        SETTING.validate_python(written)
