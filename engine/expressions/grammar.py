"""The grammar: operators bind as in Power Fx, weakest first."""

from __future__ import annotations

GRAMMAR = r"""
start: expression
?expression: disjunction
?disjunction: conjunction | disjunction OR conjunction -> either
?conjunction: membership | conjunction AND membership -> both
?membership: comparison | membership IN comparison -> binary
?comparison: joined | comparison COMPARE joined -> binary
?joined: sum | joined JOIN sum -> chain
?sum: product | sum PLUS product -> chain | sum MINUS product -> difference
?product: prefixed | product TIMES prefixed -> chain | product DIVIDE prefixed -> binary
?prefixed: power | MINUS prefixed -> negated | NOT prefixed -> opposite
?power: suffixed | suffixed POWER prefixed -> binary
?suffixed: atom | suffixed PERCENT -> percent
?atom: NUMBER -> number
     | TEXT -> text
     | NAME -> name
     | NAME DOT NAME -> label
     | NAME DOT NAME (DOT NAME)+ -> nested
     | NAME OPEN [arguments] CLOSE -> call
     | OPEN expression CLOSE -> enclosed
arguments: expression -> first_argument | arguments COMMA expression -> next_argument

OR: "||" | /Or\b/
AND: "&&" | /And\b/
NOT.2: "!" | /Not(?![\w(])/
IN: /(in|exactin)\b/
COMPARE: "<=" | ">=" | "<>" | "=" | "<" | ">"
JOIN: "&"
PLUS: "+"
MINUS: "-"
TIMES: "*"
DIVIDE: "/"
POWER: "^"
PERCENT: "%"
DOT: "."
OPEN: "("
CLOSE: ")"
COMMA: ","
NUMBER: /([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?/
TEXT: /"(?:[^"]|"")*"/
NAME: /[^\W\d]\w*|'(?:[^']|'')+'/

COMMENT: /\/\/[^\r\n]*|\/\*(?s:.)*?\*\//
SPACE: /\s+/
%ignore COMMENT
%ignore SPACE
"""
"""In lark's notation."""
