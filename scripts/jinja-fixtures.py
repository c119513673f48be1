"""Makes test/tokenizer/fixtures/jinja.json and templates.json: what Python's Jinja2 makes of expressions and of llama.cpp's templates.

    git clone <repository>/node_modules/node-llama-cpp/llama/gitRelease.bundle llama.cpp
    python3 -m venv venv && venv/bin/pip install jinja2==3.1.6
    venv/bin/python scripts/jinja-fixtures.py llama.cpp/models/templates test/tokenizer/fixtures

Jinja2 is set up as transformers does it for chat templates. null stands for an error; `@` and `#` in an expression stand
for each of the values. Filters that give generators or Markup get `| list`, which shows what is in them.
"""

import datetime
import hashlib
import json
import re
import sys
from pathlib import Path

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 7, 4, 12, 5, 9, tzinfo=datetime.timezone.utc)

VALUES = ["missing", "none", "true", "false", "0", "7", "-3", "2.5", "-0.0", "1e20", "''", "'abc'", "' Hello  World\\n'", "'<é😀>'", "'12'",
          "[]", "[3, 1, 2]", "['b', 'a', 'B']", "(1, 'x')", "{}", "{'b': 1, 'a': [2]}"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
LAZY = {"batch(2)", "batch(2, 'z')", "slice(2)", "slice(2, 'z')", "reverse", "unique", "map('upper')", "map('string')", "map('int')", "map('length')",
        "map(attribute='a')", "map(attribute='a', default='d')", "map(attribute=0)", "select", "select('string')", "select('gt', 1)", "reject", "reject('number')",
        "selectattr('a')", "selectattr('a', 'defined')", "rejectattr('a')", "rejectattr('a', 'eq', 1)", "items",
        "e", "escape", "forceescape", "safe"}
FILTERS = sorted(LAZY) + [
    "abs", "attr('upper')", "capitalize", "center", "center(9)", "count", "default('d')", "d('d', true)", "default", "default(missing)", "dictsort", "dictsort(reverse=true)",
    "dictsort(by='value')", "dictsort(true)", "filesizeformat", "filesizeformat(true)", "first", "float", "float(1)", "format", "format('a', 1)",
    "groupby('a')", "groupby(0)", "indent", "indent(2, true)", "indent(width=2, blank=true)", "indent('> ', true)", "int", "int(5)", "int(5, 16)", "int(default=none)",
    "join", "join('-')", "join(', ', attribute=0)", "join(1)", "last", "length", "list", "lower", "max", "min", "max(case_sensitive=true)", "min(attribute=0)",
    "replace('b', '--')", "replace('', '.')", "replace('l', 'L', 1)", "replace(1, 2)", "round", "round(1)", "round(0, 'floor')", "round(method='ceil')", "round(-1)",
    "sort", "sort(reverse=true)", "sort(case_sensitive=true)", "sort(attribute=0)", "string", "sum", "sum(start=1)", "sum(attribute=0)", "title",
    "tojson", "tojson(indent=2)", "tojson(indent=0)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "tojson(sort_keys=true)", "tojson(indent=1, separators=['; ', ' = '])",
    "trim", "trim('b')", "trim(' \\n')", "trim(none)", "truncate(9)", "truncate(6, true, leeway=0)", "truncate(8, end='.', leeway=0)", "upper", "urlencode",
    "wordcount", "nosuch", "pprint", "striptags", "urlize", "wordwrap(5)", "xmlattr", "upper(1)", "length(missing)",
]
TESTS = ["boolean", "callable", "defined", "divisibleby 3", "divisibleby(2)", "eq 7", "eq('abc')", "equalto(7.0)", "escaped", "even", "odd", "false", "true", "filter", "test",
         "float", "integer", "number", "ge 2", "gt(2)", "greaterthan 2", "le 2", "lt 2", "lessthan('b')", "in [7, 'abc', none]", "in 'abcd'", "iterable", "lower", "upper",
         "mapping", "ne 7", "none", "sameas none", "sameas true", "sequence", "string", "undefined", "nosuch", "== 7"]
SUFFIXES = [".a", "['a']", "[0]", "[-1]", "[5]", "['upper']", ".items()", ".items", ".get('a')", ".get('z', 1)", ".keys()", ".values()", ".copy()", ".count(1)", ".count('a')",
            ".index(2)", "[1:]", "[:-1]", "[::-1]", "[::2]", "[-2:]", "[5:]", "[none:1]", "[2:0:-1]", "[true]", "['a':]", ".__class__", "._x", ".a.b", "()", ".append(1)",
            ".pop()", ".update({})", "[(1, 2)]", "[[]]", ".0", ".is_integer()"]
STRINGS = ["''", "'abc'", "'ABC def'", "'  two  words \\n'", "'\\n    indented\\n\\n'", "'a,b,,c'", "'xxabcxx'", "'ßé😀x'", "'12'", "'-7'", "'a\\tb\\r\\nc'", "'hello wORLD it\\'s'", "'\\x1c\\ufeff\\x85 a\\u3000'"]
METHODS = ["capitalize()", "casefold()", "center(9)", "center(8, '*')", "count('x')", "count('')", "count('b', 1, 3)", "endswith('c')", "endswith(('c', 'x'))", "endswith(['c'])",
           "expandtabs()", "expandtabs(4)", "find('b')", "find('z')", "find('c', -2)", "find('')", "index('b')", "isalnum()", "isalpha()", "isascii()", "isdecimal()", "isdigit()", "isidentifier()",
           "islower()", "isnumeric()", "isprintable()", "isspace()", "istitle()", "isupper()", "join(['1', '2'])", "join('abc')", "join([1])", "ljust(6)", "ljust(6, '.')", "lower()",
           "lstrip()", "lstrip('x')", "lstrip('\\n')", "lstrip(' xa')", "lstrip(none)", "lstrip('')", "partition('b')", "partition(',')", "partition('')", "removeprefix('xx')", "removesuffix('xx')", "removesuffix('')",
           "replace('b', '++')", "replace('', '-')", "replace('x', '', 1)", "replace('x', 'y', -1)", "replace('b')", "rfind('x')", "rindex('x')", "rjust(6)", "rjust(6, '😀')",
           "rpartition(',')", "rsplit()", "rsplit(',', 1)", "rsplit(none, 1)", "rsplit(maxsplit=1)", "rstrip()", "rstrip('x')", "rstrip('\\n')", "rstrip(' \\n')", "split()", "split(',')", "split(',', 1)", "split('')",
           "split(none, 1)", "split(' ', maxsplit=1)", "split('x')", "split(',', 0)", "splitlines()", "splitlines(true)", "startswith('a')", "startswith(('a', 'x'))", "startswith('b', 1)",
           "strip()", "strip('x')", "strip('\\n')", "strip(' \\n')", "strip('abc')", "strip(1)", "swapcase()", "title()", "upper()", "zfill(5)", "format()", "encode()", "nosuch()", "upper(1)"]

SINGLE = [
    # Numbers.
    "1 / 3", "7 // 2", "-7 // 2", "7 // -2", "-7 % 3", "7 % -3", "7.5 % -2", "-7.5 // 2", "2 ** 10", "2 ** -1", "2 ** 0.5", "(-8) ** (1 / 3)", "-2 ** 2", "2 ** 3 ** 2", "2 ** 100",
    "1_000", "0x1f", "0b11", "0o17", "1e3", "1.5e-7", "1e16", "1e15", "123456789.123", "0.1 + 0.2", "1 == 1.0", "true == 1", "1 is sameas 1", "1e400", "-1e400", "1.0", "100 * 1.0",
    "9007199254740993", "123456789012345678901234567890", "7 / 0", "7 % 0", "0 ** -1", "1.5 | round", "2.5 | round", "0.125 | round(2)", "2.675 | round(2)", "-2.5 | round", "15 | round(-1)", "25.0 | round(-1)",
    "- 3 | abs", "-3 | abs", "-(3) | string", "+3", "- -3", "not 1", "not not 1", "3 - -2", "3-2", "[1,-2]", "1 - 1 ~ 2", "1 ~ 2 + 3", "2 * 3 ~ 4",
    # Precedence.
    "1 < 2 < 3", "1 < 3 < 2", "3 > 2 > 1", "1 == 1 == 1", "1 in [1] == true", "not 1 in [2]", "1 not in [2]", "not true == false", "true or false and false", "false or 0 or '' or 'x'", "1 and 2",
    "'a' if true", "'a' if false", "'a' if false else 'b'", "'a' if false else 'b' if false else 'c'", "1 if 1 else 2 | string", "'a' ~ 'b' | upper", "('a' ~ 'b') | upper", "1 + 2 | string", "'x' * 3", "3 * 'x'", "[1] * 2",
    "7 is divisibleby 7 and true", "not 7 is odd", "7 is not odd", "7 is odd is true", "'a' is in 'abc'", "'a' is not in ['a']", "missing is defined or true", "x.y is defined", "none.y is defined", "missing.y is defined",
    "1 is number if true else 2", "'abc'[1]", "'abc'[0:2][1]", "{'a': {'b': [1, 2]}}.a.b[1]", "[1, 2].0", "('a', 'b')[1]", "'a' 'b'", "'a'.upper()", "'a'.upper().lower()", "('a' | upper).lower()", "'a' | upper ~ 'b'", "-1 | string",
    "{'a': 1}['a']", "{1: 'x'}[1]", "{1: 'x'}[1.0]", "{true: 'x'}[1]", "{(1, 2): 'x'}[(1, 2)]", "{[]: 1}", "{none: 1}", "{1: 'a', 1.0: 'b'}", "()", "(1,)", "(1)", "1, 2", "[1, 2,]", "{'a': 1,}", "range(3)", "range(1, 8, 3) | list", "range(3, 0, -1) | list",
    "range(5)[1:3]", "range(3)[1]", "range(2) == range(2)", "range(2.5)", "range()", "range(3) | length", "2 in range(3)", "range(0, 5, 0)", "dict(a=1, b='x')", "dict([('a', 1)])", "dict({'a': 1}, b=2)", "namespace(a=1).a", "namespace({'a': 1}).b",
    # Strings.
    r"'\n\t\\\'\"'", r"'\d\.'", r"'\x41\u00e9\U0001F600\101'", r"'\a\b\f\v\0'", "'\"'", "\"it's\"", "'both \" and \\''", "'é\\u200b\\xa0\\u2028😀'", "'a\\x00b\\x7f'", "'\\\\'", "'ab' < 'b'", "'B' < 'a'", "'\\ue000' < '😀'", "'😀'|length", "'😀a'[0]", "'😀a'[::-1]",
    "'%s and %r' % ('a', 'b')", "'%d%%' % 5", "'%5.2f|%-5d|%05d' % (3.14159, 42, 42)", "'%x %X %o %e %g' % (255, 255, 8, 12345.678, 0.00001)", "'%(a)s' % {'a': 1}", "'%s' % [1]", "'%s' % (1,)", "'%s %s' % 'a'", "'%d' % 'a'", "'a' % 1", "'%c' % 65", "'%+d % d' % (1, 2)", "'%s' % none", "'%.2s' % 'abc'", "'%i' % 3.9", "'%' % 1",
    "'{}'.format(1)", "'{} {}'.format('a', 2)", "'{0}{1}{0}'.format('a', 'b')", "'{a}'.format(a=1)", "'{a.b}'.format(a={'b': 1})", "'{0[b]}'.format({'b': 1})", "'{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd')", "'{:05d} {:+d} {:,}'.format(42, 42, 1234567)", "'{:.2f} {:.0f} {:e} {:g} {:%}'.format(3.14159, 2.5, 12345.678, 0.0001, 0.25)",
    "'{:x} {:#x} {:b} {:o}'.format(255, 255, 5, 8)", "'{{}}'.format()", "'{}'.format()", "'{!r} {!s}'.format('a', 'b')", "'{:{}}'.format('a', 5)", "'{:10}|{:10}'.format('a', 1)", "'{:s}'.format(1)", "'{:d}'.format('a')", "'{:.3}'.format('abcdef')", "'{:.3}'.format(3.14159)", "'{}'.format(true)", "'{:d}'.format(true)", "'{}'.format(none)", "'{:>8}'.format(1.5)", "'{'.format()", "'{:,.2f}'.format(1234567.891)", "'{:g}'.format(100000000.0)", "'{:.3g}'.format(1234.5)", "'{:n}'.format(5)", "'{a}'.format_map({'a': 1})",
    "'a<b' | escape | upper", "'%s' | format('x')", "'%s %s' | format('x', 1)", "'%(a)s' | format(a=1)", "'a b' | urlencode", "'a/b?c=é' | urlencode", "{'a': 'b c'} | urlencode", "[('a', 1)] | urlencode",
    "1000000 | filesizeformat", "123456789 | filesizeformat(true)", "1 | filesizeformat", "999 | filesizeformat", "1000 | filesizeformat", "'hello wörld foo' | wordcount", "'foo-bar (baz) [qux] o\\'neil' | title", "'a\\nb\\n\\nc\\n' | indent", "'a\\nb\\n\\nc\\n' | indent(2, first=true, blank=true)", "'a\\r\\nb' | indent", "'one two three four' | truncate(12, leeway=0)", "'one two three four' | truncate(9, true, '~', 0)",
    # Collections.
    "[1, 1.0, true, 'a', 'A'] | unique | list", "['a', 'B', 'c'] | sort", "['a', 'B', 'c'] | sort(case_sensitive=true)", "[[2, 'a'], [1, 'b']] | sort", "[{'a': 2}, {'a': 1}] | sort(attribute='a')", "[{'a': 2, 'b': 1}, {'a': 1, 'b': 1}] | sort(attribute='b,a')", "[{'a': {'b': 2}}, {'a': {'b': 1}}] | map(attribute='a.b') | list", "[1, 'a'] | sort", "[none] | sort", "[none, none] | sort", "['10', '9'] | map('int') | sort",
    "[{'k': 'x', 'v': 1}, {'k': 'X', 'v': 2}, {'k': 'y', 'v': 3}] | groupby('k')", "([{'k': 1}] | groupby('k') | first).grouper", "([{'k': 1}] | groupby('k') | first).list", "[1, 2, 3] | sum", "[1.5, 2] | sum", "[[1], [2]] | sum(start=[])", "[1, 2, 3, 4, 5] | batch(2, 0) | list", "[1, 2, 3, 4, 5] | slice(2) | list", "[1, 2, 3, 4, 5] | slice(3, 'z') | list", "[1, 2] | reverse | list", "'abc' | reverse", "[3, 1] | max", "[] | max", "['a', 'B'] | min", "{'b': 1, 'A': 2} | dictsort", "{'b': 1, 'A': 2} | dictsort(true)", "{'b': 1, 'a': 2} | dictsort(false, 'value', true)", "{2: 'a', 10: 'b', 1: 'c'} | dictsort", "{'a': 1}.items() | list", "{'a': 1} | items | list", "{'a': 1} | list", "{'a': 1} | first", "'a' in {'a': 1}", "[1] in [[1]]", "{'a': 1} == {'a': 1.0}", "[1, 2] == (1, 2)", "{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "[1, 2] < [1, 3]", "(1, 'a') < (1, 'b')", "[1] + [2]", "(1,) + (2,)", "[1] + (2,)", "{'a': 1}.items()", "{'a': 1}.keys() | length", "{'items': 1}.items", "{'items': 1}['items']", "{'get': 1}.get", "{'a': none}.a", "{'a': 1}.get('b')", "{'a': 1}.get('a', default=2)", "[1, 2, 3] | select('odd') | list", "[1, 2, 3] | reject('odd') | map('string') | join('+')", "['a', ''] | select | list", "[{'a': 1}, {'b': 2}] | selectattr('a') | list", "[{'a': 1}, {'b': 2}] | selectattr('a', 'defined') | list", "[{'a': 1}, {'a': 2}] | selectattr('a', 'equalto', 2) | list", "[{'a': 1}, {'a': 2}] | selectattr('a', '>', 1) | map(attribute='a') | first", "[1] | map('nosuch') | list", "[1] | select('nosuch') | list", "(['a'] | map('upper')) | list | first", "['a'] | map('upper') | first", "'a' in (['a'] | map('lower'))", "['ab'] | map('replace', 'a', 'c') | list", "[] | first", "[] | last", "[] | first | default('x')", "'' | first", "[[1, 2], [3, 4]] | map('first') | list", "[[1, 2], [3, 4]] | map('last') | list", "[1, 2] | join", "[1, none, missing, true] | join(',')", "missing | list | length", "missing | join(',') | upper", "missing | map('upper') | list", "missing | default([]) | length", "x.y.z | default(1)", "missing | first | default('d')", "none | default('x')", "none | default('x', true)", "'' or missing", "missing or 'x'", "missing and 'x'", "missing == missing", "missing == none", "missing != ''", "not missing", "missing if false", "('x' if false) is defined", "[missing] | tojson", "{'a': none, 'b': true, 'c': 1.0, 'd': 'é</script>\\n\\x7f\\u2028'} | tojson", "{1: 1, true: 2, none: 3, 1.5: 4} | tojson", "{(1,): 1} | tojson", "(1, 2) | tojson", "range(2) | tojson", "'é😀' | tojson(ensure_ascii=true)", "[[], {}, [[]]] | tojson(indent=2)", "{'b': 1, 'a': {'d': 1, 'c': 2}} | tojson(sort_keys=true, indent=4)", "{} | tojson(4)", "[1, 2] | tojson(true, 2)", "[1] | tojson(indent='--')", "1e16 | tojson", "1e400 | tojson", "(1e400 - 1e400) | tojson",
    "strftime_now('%Y-%m-%d %H:%M:%S')", "strftime_now('%d %B %Y, %A %a %b %y %j %I %p')", "strftime_now('%-d/%-m %e %%')", "cycler('a', 'b').next()", "joiner(',')() ~ joiner(',')()", "nosuch()", "nosuch.a()", "'a'()", "range('a')", "raise_exception('no: ' ~ 1)", "x.raise", "loop is defined",
    "1 +", "(1", "[1", "{'a' 1}", "1 2", "'a", "a..b", "1 if", "x |", "x is", "a = 1", "f(a=1, 2)", "f(*[1], **{})", "'\\xZZ'", "@", "a ? b", "!a", "a && b", "x[", "x[]", "x[1:2:3:4]", "x[1,2]", "{1, 2}", "1 === 1", "a;b",
]
WHOLE = [
    # White space.
    "a\n", "a\n\n", "{{ 1 }}\n", "{% if 1 %}\na\n{% endif %}\nb", "  {% if 1 %}\n  a\n  {% endif %}\nb", "  {{ 1 }}\n  {{ 2 }}", "a  {%- if 1 -%}  b  {%- endif -%}  c", "a {% if 1 %} b {% endif %} c", "a\n  {%+ if 1 %}\nb{% endif %}", "{% if 1 +%}\na{% endif %}", "a {#- c -#} b", "a\n  {# c #}\nb", "  {# c #}  \nb", "{{- 1 -}}  \n a", "x \t{%- set a = 1 %}\n  {{- a }}", "{%- set a = 1 -%}\n\n{{ a }}", "{% set a %}\n  x\n{% endset %}[{{ a }}]", "{% raw %}{{ a }}{% endraw %}", "{% raw %}\n a {% endraw %}\nb", "a {%- raw -%} b {%- endraw -%} c", "{{ '}}' }}{{ '{{' }}{{ '%}' }}", "{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{% set x = {'a': {}} %}{{ x }}", "{{ '\n' }}", "{{ 'a\n  {% b %}' }}", "a\r\nb\rc", "{% if 1 %}\r\na{% endif %}", "{ { } }", "{{ 1 }}{{ 2 }}", "{#\n{{ 1 }}\n#}x", "{# a #}{# b #}\nc", "   {% if 1 %}a{% endif %}   {% if 1 %}b{% endif %}", "\ufeff {%- if 1 %}a{% endif %}", "{%if 1%}a{%endif%}", "{%-if 1-%} a {%-endif-%}", "{%- if 1 %}\n\n a{% endif %}", "x\n\n\t {%- if 1 %}a{% endif %}", "  {%- if 1 %}a{% endif %}", "{{\n1\n}}", "{% if 1\n%}a{% endif %}", "{% generation %}a{% endgeneration %}b", " {%- generation %} a {%- endgeneration %} b", "{{ 1 -}}\n\n{{- 2 }}",
    # Loops.
    "{% for i in [1, 2] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}", "{% for i in [] %}a{% else %}b{% endfor %}", "{% for i in [1, 2, 3] if i != 2 %}{{ loop.index }}{{ i }}{% else %}x{% endfor %}", "{% for i in [1] if i > 2 %}a{% else %}b{% endfor %}", "{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "{% for k, v in {'a': 1} | dictsort %}{{ k }}{{ v }}{% endfor %}", "{% for k in {'a': 1} %}{{ k }}{% endfor %}", "{% for c in 'aé😀' %}{{ c }}.{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [[1]] %}{% endfor %}", "{% for a, b in ['xy'] %}{{ a }}{{ b }}{% endfor %}", "{% for i in missing %}a{% else %}b{% endfor %}", "{% for i in none %}a{% else %}b{% endfor %}", "{% for i in 5 %}{% endfor %}", "{% for i in [1, 2, 3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "{% for i in [1, 2, 3] %}{{ i }}{% if i == 2 %}{% break %}{% endif %}{% else %}x{% endfor %}", "{% for i in [1] %}{% break %}{% else %}x{% endfor %}", "{% for i in [1, 2] %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% set x = 0 %}{% for i in [1, 2] %}{{ x }}{% set x = i %}{% endfor %}{{ x }}", "{% set n = namespace(x=0) %}{% for i in [1, 2] %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}", "{% for i in [1, 2] %}{% for j in [1, 2] %}{{ loop.depth }}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in [1, [2, [3]]] recursive %}{% if i is number %}{{ i }}{{ loop.depth }}{% else %}<{{ loop(i) }}>{% endif %}{% endfor %}", "{% for i in [1, 2] %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}", "{% for loop in [1] %}{{ loop }}{% endfor %}", "{% for i in 1, 2 %}{{ i }}{% endfor %}", "{% for i in [1, 2] | reverse %}{{ loop.length }}{{ i }}{% endfor %}", "{% set g = [1, 2] | map('string') %}{{ g | list }}{{ g | list }}", "{% set g = [1, 2] | map('string') %}{{ g | first }}{{ g | list }}", "{% if [] | map('string') %}a{% endif %}", "{% for i in [1] %}{{ i }}{% endfor %}{{ i }}", "{% break %}", "{% for i in [1] -%} a {%- endfor %}", "{% for m in messages if m.role == 'x' %}{% endfor %}", "{% for x in [{'a': 1}] %}{% for k in x %}{{ k }}{{ x[k] }}{% endfor %}{% endfor %}",
    # Conditions and assignments.
    "{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}", "{% if 0 %}a{% elif 0 %}b{% else %}c{% endif %}", "{% if missing %}a{% endif %}", "{% if missing.a %}a{% endif %}", "{% if 1 %}{% set x = 1 %}{% endif %}{{ x }}", "{% if not 0 %}a{% endif %}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = [1] %}", "{% set a = 1, %}{{ a }}", "{% set x = 1 %}{% set x = x + 1 %}{{ x }}", "{% set x | upper %}a{% endset %}{{ x }}", "{% set x.a = 1 %}", "{% set n = namespace() %}{% set n.a %}b{% endset %}{{ n.a }}", "{% set n = {} %}{% set n.a = 1 %}", "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}", "{% filter upper %}a{{ 'b' }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}a{% endfilter %}", "{% set true = 1 %}", "{% set 'a' = 1 %}", "{% print 1, 2 %}", "{{ true }}{{ none }}{{ 1.0 }}{{ [true, none] }}{{ missing }}", "{% set none_ = none %}{{ none_ is none }}", "{{ True }}{{ False }}{{ None }}", "{{ null }}", "{% if x is defined and x %}a{% else %}b{% endif %}", "{% if a %}", "{% endif %}", "{% else %}", "{% nosuch %}", "{% do 1 %}", "{% block a %}x{% endblock %}", "{% include 'a' %}", "{% autoescape true %}{{ '<' }}{% endautoescape %}", "{{ }}", "{% %}", "{{ 1", "{% if 1", "{# a", "{% raw %}a", "{{ 1 }", "}}", "{% if 1 %}a{% endif %}{% endif %}", "{% if (1, 2) %}a{% endif %}", "{% if 1 if 1 else 0 %}a{% endif %}", "{% if 1: %}a{% endif %}",
    # Macros.
    "{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(b=4, a=5) }}{{ f() }}", "{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}", "{% set x = 1 %}{% macro f() %}{% set x = 2 %}{{ x }}{% endmacro %}{{ f() }}{{ x }}", "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, a=3) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=1) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=1) }}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}x{% endcall %}", "{% macro f() %}[{{ caller(1, 2) }}]{% endmacro %}{% call(a, b) f() %}{{ a + b }}{% endcall %}", "{% macro f() %}x{% endmacro %}{% call f() %}y{% endcall %}", "{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}", "{% for i in [1, 2] %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}", "{% macro f() %}{{ i }}{% endmacro %}{% for i in [1] %}{{ f() }}{% endfor %}", "{% macro f(a=x, b=a) %}{{ a }}{{ b }}{% endmacro %}{% set x = 3 %}{{ f() }}", "{% macro f() -%} a {%- endmacro %}{{ f() ~ 'b' }}", "{% macro f() %} a {% endmacro %}{{ f() | trim }}{{ f() is string }}", "{% macro f() %}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.caller }}", "{{ f() }}{% macro f() %}a{% endmacro %}", "{% macro f(x) %}{{ x.a | default('d') }}{% endmacro %}{{ f({}) }}", "{% macro f(*a) %}{% endmacro %}", "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(*[1, 2]) }}{{ f(**{'a': 1, 'b': 2}) }}", "{% macro f(a=1, b) %}{% endmacro %}", "{% macro f(a) %}{{ a is defined }}{% endmacro %}{{ f() }}", "{% macro a() %}1{% endmacro %}{% macro b() %}{{ a() }}2{% endmacro %}{{ b() }}", "{% set f = 'a'.upper %}{{ f() }}", "{% macro f() %}{% set n.x = 1 %}{% endmacro %}{% set n = namespace(x=0) %}{{ f() }}{{ n.x }}", "{{ [1, 2] | map('f') | list }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}", "{% set j = joiner('|') %}{% for i in [1, 2, 3] %}{{ j() }}{{ i }}{% endfor %}",
]


class Generation(Extension):
    """The tag of transformers that marks what the assistant says."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(lineno)

    def _body(self, caller):
        return caller()


class Refusal(Exception):
    pass


def raise_exception(message):
    raise Refusal(str(message))


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


ENV = environment()


def render(source, **variables):
    try:
        result = ENV.from_string(source).render(**variables)
    except Exception:
        return None
    # An address is another each time.
    return "(address)" if re.search(r" at 0x[0-9a-f]+", result) else result


def expression(text):
    return render("{{ [" + text + "] }}")


def grid(pattern, values, others=(None,)):
    return [expression(pattern.replace("@", v).replace("#", o or "")) for v in values for o in others]


def expressions():
    cases = {"values": VALUES, "strings": STRINGS, "pairs": {}, "single": {}, "strung": {}, "alone": {}, "whole": {}}
    for op in OPERATORS:
        cases["pairs"][f"(@) {op} (#)"] = grid(f"(@) {op} (#)", VALUES, VALUES)
    for f in FILTERS:
        pattern = f"(@) | {f}" + (" | list" if f in LAZY else "")
        cases["single"][pattern] = grid(pattern, VALUES)
    for t in TESTS:
        cases["single"][f"(@) is {t}"] = grid(f"(@) is {t}", VALUES)
    for s in [*SUFFIXES, " if (@) else 'no'", " | string", " ~ ''"]:
        cases["single"][f"(@){s}"] = grid(f"(@){s}", VALUES)
    for p in ["-(@)", "+(@)", "not (@)", "[@, @]", "{'k': @}", "{@: 1}", "range(@) | list", "dict(@)", "namespace(@) is defined"]:
        cases["single"][p] = grid(p, VALUES)
    for m in METHODS:
        cases["strung"][f"(@).{m}"] = grid(f"(@).{m}", STRINGS)
    for e in SINGLE:
        cases["alone"][e] = expression(e)
    for w in WHOLE:
        cases["whole"][w] = render(w)
    return cases


CODE = "def f(x):\n    if x:\n        return '<b>'\n\n\treturn {\"a\": 'é'}  \n\n"
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather\nof a <place>, it's \"now\".", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "A city"}, "unit": {"type": "string", "enum": ["c", "f"]},
                                     "days": {"type": "array", "items": {"type": "integer"}}}, "required": ["city"]}}}
PLAIN_TOOL = {"type": "function", "function": {"name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}}}


def call(arguments, id="call_1", name="get_weather"):
    return {"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}


def say(role, content, **more):
    return {"role": role, "content": content, **more}


HI, YO = say("user", "Hi"), say("assistant", "Hello")
CHATS = {
    "user": {"messages": [HI]},
    "turns": {"messages": [HI, YO, say("user", "Bye")]},
    "system": {"messages": [say("system", "Be brief."), HI, YO, say("user", "Bye")]},
    "developer": {"messages": [say("developer", "Be brief."), HI]},
    "ends with assistant": {"messages": [HI, YO]},
    "code": {"messages": [say("system", "\n  Indent by 4.\n"), say("user", CODE), say("assistant", CODE), say("user", "  " + CODE + "   ")]},
    "empty": {"messages": [say("system", ""), say("user", ""), say("assistant", ""), say("user", " \n ")]},
    "think": {"messages": [HI, say("assistant", "<think>\n  a\n    b\n</think>\n\n    Hello\n"), say("user", "Bye"), say("assistant", "<think>c</think>Yo")]},
    "reasoning": {"messages": [HI, say("assistant", "    Hello\n", reasoning_content="\n  I think\n    so\n"), say("user", "Bye")]},
    "reasoning last": {"messages": [HI, say("assistant", "Hello", reasoning_content="hm")]},
    "assistant first": {"messages": [YO, HI]},
    "two users": {"messages": [HI, HI]},
    "two assistants": {"messages": [HI, YO, YO]},
    "system late": {"messages": [HI, YO, say("system", "Stop."), HI]},
    "system only": {"messages": [say("system", "Be brief.")]},
    "other role": {"messages": [HI, say("critic", "Bad."), HI]},
    "none": {"messages": []},
    "parts": {"messages": [say("user", [{"type": "text", "text": "a\n"}, {"type": "text", "text": "  b"}])]},
    "tools": {"messages": [HI], "tools": [TOOL, PLAIN_TOOL]},
    "tools, system": {"messages": [say("system", "Be brief."), HI], "tools": [TOOL]},
    "no tools": {"messages": [HI], "tools": []},
    "tool call": {"messages": [HI, say("assistant", None, tool_calls=[call({"city": "Zürich\n", "days": [1, 2]})])], "tools": [TOOL]},
    "tool call as text": {"messages": [HI, say("assistant", "", tool_calls=[call('{"city": "Bern"}')])], "tools": [TOOL]},
    "tool result": {"messages": [HI, say("assistant", "", tool_calls=[call({"city": "Bern"}, "abcdefghi")]), say("tool", "  18 °C\n\n  dry\n", tool_call_id="abcdefghi", name="get_weather")], "tools": [TOOL]},
    "tool results": {"messages": [say("system", "S"), HI, say("assistant", "Wait.", reasoning_content="r", tool_calls=[call({"city": "Bern"}, "abcdefghi"), call({}, "bcdefghij", "now")]), say("tool", "18", tool_call_id="abcdefghi", name="get_weather"),
                                  say("tool", '{"t": 1}', tool_call_id="bcdefghij", name="now"), say("assistant", "It is 18."), say("user", "Thanks")], "tools": [TOOL, PLAIN_TOOL]},
    "tool result alone": {"messages": [HI, say("tool", "18", tool_call_id="abcdefghi")]},
}
FULL = ["Qwen-Qwen3-0.6B", "Qwen-QwQ-32B"]


def rendering(template, chat, generate):
    tools = chat.get("tools")
    variables = dict(messages=chat["messages"], tools=tools, add_generation_prompt=generate, bos_token="<s>", eos_token="</s>",
                     functions=json.dumps(tools, indent=2, ensure_ascii=False) if tools is not None else "", datetime="Jul 04 2024 12:05:09 GMT")
    try:
        return {"text": template.render(**variables)}
    except Refusal as refusal:
        return {"refused": str(refusal)}
    except Exception:
        return {"failed": True}


def templates(folder):
    found = {}
    for path in sorted(Path(folder).glob("*.jinja")):
        template = ENV.from_string(path.read_text(encoding="utf-8"))
        found[path.stem] = {}
        for name, chat in CHATS.items():
            for generate in [True, False]:
                result = rendering(template, chat, generate)
                if "text" in result and path.stem not in FULL:
                    result = {"sha256": hashlib.sha256(result["text"].encode()).hexdigest()[:16]}
                found[path.stem][name + ("" if generate else ", open")] = result
    return {"chats": CHATS, "templates": found}


def write(path, value):
    """JSON with a case on a line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, dict):
        parts = ",\n".join(json.dumps(k) + ":" + ("{\n" + ",\n".join(json.dumps(a, ensure_ascii=False) + ":" + json.dumps(b, ensure_ascii=False, separators=(",", ":")) for a, b in v.items()) + "\n}" if isinstance(v, dict) else json.dumps(v, ensure_ascii=False)) for k, v in value.items())
        text = "{\n" + parts + "\n}"
    path.write_text(text + "\n", encoding="utf-8")


def main(folder, target):
    write(Path(target) / "jinja.json", expressions())
    write(Path(target) / "templates.json", templates(folder))


main(*sys.argv[1:])
