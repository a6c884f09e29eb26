"""What may be told of DuckDB's errors: words of the user's SQL and of ours, never a value.

An error of the text (parser, names, types) quotes the SQL, which its author knows. An error of a
run quotes values of the rows, quoted in many ways or not at all: `O'Brien`, `with value 41`. Of
those only fixed words are told, and the place in the SQL.
"""

from __future__ import annotations

import re

import duckdb

MESSAGE_CHARACTERS = 300

_OF_THE_TEXT = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
)
_TELLING_LINE = "Candidate bindings:"
_FIXED_WORDS = re.compile(
    "|".join(
        (
            r"More than one row returned by a subquery used as an expression",
            r"Division by zero",
            r"Overflow in \w+ of [A-Z]+[0-9]*",
            r"Could not parse string",
            r"Map keys must be unique",
            r"Malformed JSON",
            r"JSON transform error",
            r"(?<=^Invalid Input Error: )CSV Error on Line: \d+",
            r"Invalid unicode \(byte sequence mismatch\) detected",
            r"Value with unterminated quote found",
            r"not possible to automatically detect the CSV parsing dialect",
            r"too small to be a Parquet file",
            r"No magic bytes found at end of file",
            r"Footer length error",
        )
    )
)
_KINDS: tuple[tuple[type[duckdb.Error], str], ...] = (
    (duckdb.ConversionException, "a value can't be converted"),
    (duckdb.OutOfRangeException, "a number is out of range"),
    (duckdb.InvalidInputException, "a value isn't accepted"),
    (duckdb.NotImplementedException, "a value or type isn't supported"),
    (duckdb.IOException, "a file can't be read"),
)
_WORD_BEFORE = re.compile(r"[\w.\"')\]]+$")
_PLACE = re.compile(r"(?:^|\n)(LINE \d+: )([^\n]*)\n( *)(\^+)\s*$")


def told(error: duckdb.Error, sql: str = "") -> str:
    """One line about the error; `sql` is what its author wrote."""
    if isinstance(error, _OF_THE_TEXT):
        return told_of_the_text(error)
    words = dict.fromkeys(match.group() for match in _FIXED_WORDS.finditer(str(error)))
    what = ", ".join(words) or _kind(error)
    place = _place(str(error), sql)
    return f"{what}, at `{place}`" if place else what


def told_of_the_text(error: duckdb.Error) -> str:
    """One line about an error that only the SQL led to, before any row was read."""
    first, *others = (line.strip() for line in str(error).splitlines())
    telling = [line for line in others if line.startswith(_TELLING_LINE)]
    return ". ".join((first.rstrip("."), *telling))[:MESSAGE_CHARACTERS]


def is_about_disk(error: duckdb.OutOfMemoryException) -> bool:
    """Whether it was the disk that DuckDB ran out of, not memory."""
    return "max_temp_directory_size" in str(error)


def _kind(error: duckdb.Error) -> str:
    for kind, words in _KINDS:
        if isinstance(error, kind):
            return words
    return type(error).__name__


def _place(message: str, sql: str) -> str:
    """The piece of the SQL that DuckDB points at; empty where it is no piece of it."""
    found = _PLACE.search(message)
    if found is None:
        return ""
    prefix, line, indent, carets = found.groups()
    start = max(0, len(indent) - len(prefix))
    # Of a cast only the type is pointed at.
    before = _WORD_BEFORE.search(line[:start])
    piece = (before.group() if before else "") + line[start : start + len(carets)].strip()
    return piece if piece and piece in sql else ""
