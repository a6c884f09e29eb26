"""The fence around the user's SQL: what its parsed tree may consist of.

The tree is DuckDB's own, so that the fence and the engine read the same statement. Everything in it
has to be on a list: kinds of nodes, tables (the sources and the statement's own CTEs), functions in
FROM, functions. What isn't known here is refused, so that a new DuckDB opens no hole unseen.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

import duckdb

from serinus_runtime.features.sql_errors import told_of_the_text
from serinus_runtime.features.sql_functions import (
    AGGREGATES_BY_NAME,
    CLOCK_WORDS,
    TABLE_FUNCTIONS,
    known_functions,
    parser,
)
from serinus_runtime.user_error import TransformError

Node = Mapping[str, Any]
Tables = frozenset[str]

_QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"})
_TABLES = frozenset(
    {
        *("BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SUBQUERY"),
        "TABLE_FUNCTION",
    }
)
_MODIFIERS = frozenset(
    {
        *("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"),
        *("ASCENDING", "DESCENDING", "ORDER_DEFAULT"),
    }
)
_EXPRESSIONS = frozenset(
    {
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COMPARISON", "CONJUNCTION", "OPERATOR"),
        *("COLUMN_REF", "CONSTANT", "LAMBDA_REF", "POSITIONAL_REFERENCE", "STAR", "TYPE"),
        *("FUNCTION", "LAMBDA", "SUBQUERY", "WINDOW"),
    }
)
_PART = "part of a node"
_KINDS = _QUERIES | _TABLES | _MODIFIERS | _EXPRESSIONS | {_PART}
_PARTS = frozenset(
    {
        *("alias", "aliases", "catalog", "column", "entries", "expression", "id", "is_null"),
        *("is_percentage", "key", "key_targets", "kind", "map", "materialized", "method", "name"),
        *("named_param_map", "node", "path", "payload_aggregates", "pivot_enum"),
        *("pivot_expressions", "query_node", "repeatable", "sample_rate", "sample_size", "schema"),
        *("seed", "star_expr", "table", "text", "then_expr", "type", "type_info"),
        *("unpivot_names", "value", "values", "when_expr"),
    }
)
"""Names in those objects of the tree that are no node themselves."""
_CHECKED_BY_RULE = {**dict.fromkeys(_QUERIES, "cte_map"), "TABLE_FUNCTION": "function"}
"""What a kind's own rule has looked into already."""
_WORDS = {
    "COPY_QUERY_NODE": "COPY",
    "DELETE_QUERY_NODE": "DELETE",
    "INSERT_QUERY_NODE": "INSERT",
    "PARAMETER": "a parameter",
    "SHOW_REF": "DESCRIBE, SHOW or SUMMARIZE",
    "UPDATE_QUERY_NODE": "UPDATE",
}
_DEEP = "is nested too deeply. Split it into CTEs (`WITH …`), and long sums or cases into columns"


def check_statement(sql: str, sources: Collection[str]) -> None:
    """Raise `TransformError` unless `sql` is one SELECT that reads nothing but `sources`."""
    with parser() as connection:
        try:
            statements = connection.extract_statements(sql)
        except duckdb.Error as error:
            _refuse(told_of_the_text(error))
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            _refuse(_kinds_of(statements))
        try:
            tables = frozenset(name.lower() for name in sources)
            _check(_tree(connection, sql), tables, _Calls(connection))
        except RecursionError:
            _refuse(_DEEP)


def _kinds_of(statements: Sequence[duckdb.Statement]) -> str:
    kinds = [statement.type.name for statement in statements]
    if kinds == ["MULTI"]:
        return "gives no columns that are known beforehand. `PIVOT … ON column` needs `IN (…)`"
    return f"expected one SELECT, got {', '.join(kinds) or 'nothing'}"


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    answer = json.loads(row[0]) if row else {"error": True}
    if answer.get("error"):
        _refuse("can't be looked into. Write it as one plain SELECT")
    return answer["statements"]


class _Calls:
    """Calls of functions, by the user's SQL or by a macro in it; a macro is looked into once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._seen: set[str] = set()

    def check(self, name: str) -> None:
        """Raise `TransformError` unless the function `name` may be called."""
        functions = known_functions()
        if name in functions.pure or name in self._seen:
            return
        if name not in functions.macros or not self._may_run(functions.macros[name]):
            _refuse(
                f"calls `{name}()`, which isn't allowed: it doesn't exist, it gives something else "
                "each time, or it looks at more than its arguments"
            )
        self._seen.add(name)

    def _may_run(self, bodies: Sequence[str]) -> bool:
        try:
            for body in bodies:
                _check(_tree(self._connection, f"SELECT {body}"), frozenset(), self)
        except TransformError:
            return False
        return True


def _check(node: Any, tables: Tables, calls: _Calls) -> None:
    if isinstance(node, list):
        for item in node:
            _check(item, tables, calls)
    elif isinstance(node, dict):
        kind = _kind(node)
        if kind not in _KINDS:
            _refuse(f"uses {_WORDS.get(kind, kind)}. Only SELECT over the sources is allowed")
        _check_alone(kind, node, tables, calls)
        if kind in _QUERIES:
            tables = _with_ctes(node, tables, calls)
        for key, value in node.items():
            if key != _CHECKED_BY_RULE.get(kind):
                _check(value, tables, calls)


def _check_alone(kind: str, node: Node, tables: Tables, calls: _Calls) -> None:
    """What has to be so of a node besides its kind; what it consists of is checked apart."""
    match kind:
        case "BASE_TABLE":
            _check_table(node, tables)
        case "TABLE_FUNCTION":
            _check_table_function(node, tables, calls)
        case "FUNCTION" | "WINDOW":
            _check_function(node, calls)
        case "COLUMN_REF":
            _check_column(node)
        case _ if kind == _PART:
            _check_part(node)


def _kind(node: Node) -> str:
    """The node's class or type; a part of a node has neither, and a data type may have both."""
    kind = node.get("class") or node.get("type")
    return kind if isinstance(kind, str) else _PART


def _with_ctes(node: Node, tables: Tables, calls: _Calls) -> Tables:
    """The tables that the rest of a query may read; each CTE may read those before it."""
    if node["type"] == "RECURSIVE_CTE_NODE":
        tables |= {node["cte_name"].lower()}
    for entry in node["cte_map"]["map"]:
        _check(entry["value"], tables, calls)
        tables |= {entry["key"].lower()}
    return tables


def _check_table(node: Node, tables: Tables) -> None:
    path = node["qualified_name"]["path"]
    if len(path) != 1 or node["schema_name"] or node["catalog_name"]:
        _refuse(f"reads `{'.'.join(path)}`. Name a source alone, without a schema")
    if path[0].lower() not in tables:
        _refuse(f"reads `{path[0]}`, which is neither a source nor a CTE of this statement")


def _check_table_function(node: Node, tables: Tables, calls: _Calls) -> None:
    function = node["function"]
    for name in _names(function):
        if name not in TABLE_FUNCTIONS:
            _refuse(
                f"reads `{name}()`, which isn't allowed. "
                f"In FROM, only {', '.join(sorted(TABLE_FUNCTIONS))} are"
            )
    _check(list(function.values()), tables, calls)


def _check_function(node: Node, calls: _Calls) -> None:
    for name in _names(node):
        calls.check(name)
        if name == "age" and len(node["arguments"]) + bool(node["schema"]) == 1:
            _refuse("calls `age()` with one value, which counts from today. Give both moments")
        if name in AGGREGATES_BY_NAME:
            _check_named_aggregate(node, calls)


def _check_named_aggregate(node: Node, calls: _Calls) -> None:
    expressions = [argument["expression"] for argument in node["arguments"]]
    texts = [
        expression["literal"]["text"]
        for expression in expressions
        if expression["class"] == "CONSTANT" and expression["literal"]["kind"] == "STRING"
    ]
    if not texts:
        _refuse("names an aggregate by an expression. Write its name as a text")
    calls.check(texts[0].lower())


def _check_column(node: Node) -> None:
    names = node["column_names"]
    if len(names) == 1 and names[0].lower() in CLOCK_WORDS:
        _refuse(
            f"uses `{names[0]}`, which isn't the same each time. For a column of that name write "
            f"`source.{names[0]}`"
        )


def _check_part(node: Node) -> None:
    if not node.keys() <= _PARTS:
        _refuse(f"uses {', '.join(sorted(node.keys() - _PARTS))}, which isn't allowed")
    if node.get("pivot_enum"):
        _refuse("pivots by a type. Write the values: `IN (…)`")
    if node.get("repeatable") is False:
        _refuse("samples by chance. Add REPEATABLE and a seed")


def _names(function: Node) -> set[str]:
    """Names by which the engine may look the function up; `column.name()` is one of them."""
    called = (function["function_name"], *function["qualified_name"]["path"][-1:])
    return {name.lower() for name in called}


def _refuse(problem: str) -> NoReturn:
    raise TransformError(f"transform.sql: {problem}")
