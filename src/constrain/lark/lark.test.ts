import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Token } from '../../tokenizer/types.ts';
import { compile } from '../constraint.ts';
import { GrammarBuilder } from '../grammar-builder.ts';
import { vocabularyOf } from '../vocabulary.ts';
import { larkGrammar, type SpecialTokens } from './index.ts';

/** One token for each byte, then two special ones and the end. */
const [think, call, end] = [256, 257, 258] as Token[];
const vocabulary = vocabularyOf({
  vocabSize: 259,
  endOfGeneration: new Set([end!]),
  bytes: token => (token < 256 ? Uint8Array.of(token) : new Uint8Array()),
});
const special: SpecialTokens = {
  size: 259,
  named: text => ({ '<think>': think, '<|call|>': call })[text],
};

function accepts(source: string, ...parts: (string | Token)[]): boolean {
  const builder = new GrammarBuilder();
  const state = compile(larkGrammar(source, builder, special), builder.regexes, vocabulary).start();
  const tokens = parts.flatMap(part => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : [part]));
  return tokens.every(token => state.accept(token as Token)) && state.isAccepting;
}

function check(source: string, good: readonly string[], bad: readonly string[]): void {
  for (const text of good) assert.ok(accepts(source, text), `should be accepted: ${JSON.stringify(text)}`);
  for (const text of bad) assert.ok(!accepts(source, text), `should be rejected: ${JSON.stringify(text)}`);
}

describe('Lark', () => {
  it('has rules, terminals, alternatives over lines and comments', () => {
    check(
      `// a sum
       start: sum   # of products
       ?sum: product
           | sum "+" product -> add
       product: (ATOM | "(" sum ")") ("*" product)?
       ATOM: /[0-9]/+ | NAME
       NAME: "a".."c" "_"~1..2`,
      ['1', '12+a_*3', '(1+2)*b__', '((7))'],
      ['', '1+', 'd_', 'a', 'a___', '(1'],
    );
  });

  it('repeats', () => {
    const ab = '\nab: "a" | "b"';
    check(`start: ab{3,5}${ab}`, ['aba', 'abaa', 'aaaaa'], ['ab', 'aaaaaa']);
    check(`start: ab{3,}${ab}`, ['aba', 'aaaaaa'], ['ab']);
    check(`start: ab{,2}${ab}`, ['', 'ab'], ['aba']);
    check(`start: ab~2${ab}`, ['ab'], ['a', 'aba']);
    check(`start: [ab] ab* "c"+${ab}`, ['c', 'abac', 'acc'], ['ab']);
    check('start: A\nA: ("a" | "b"){2}', ['ab'], ['a', 'aba']);
  });

  it('has strings and regular expressions with flags', () => {
    check('start: "sElEct"i " " /x.y/is', ['SELECT x\nY', 'select XzY'], ['SELEC xzy']);
    check('start: "\\"\\n\\u00e9\\x41\\\\" /\\//', ['"\né' + 'A\\/'], ['"']);
    check('start: /.../ "abc" /.../', ['abcabcabc', '🔵🟠✅abc❌🟠🔵'], ['aaabcccc', 'aaaabccc']);
  });

  it('ignores what it is told to, between lexemes only', () => {
    const source =
      '%ignore /[ \\t]+/\n%ignore "#" /[a-z]*/ "\\n"\nstart: "let" NAME "=" value\nvalue: NUM | value "+" NUM\n%import common (CNAME -> NAME, INT -> NUM)';
    check(
      source,
      ['let x=1', ' let  x = 12 +\t3 ', 'let #note\nx = 1', 'letx=1'],
      ['le t x=1', 'let x = 1 +', 'let x = 1 # open'],
    );
  });

  it('imports from common', () => {
    check(
      '%import common.ESCAPED_STRING\n%import common.SIGNED_NUMBER -> N\nstart: ESCAPED_STRING | N',
      ['"a\\"b"', '-1.5e3', '.5'],
      ['"a"b"', '1e'],
    );
  });

  it('holds JSON Schemas', () => {
    const source =
      'start: TEXT | call\nTEXT: /[^{](.|\\n)*/\ncall: %json {\n "properties": {"a": {"const": "}"}}, "required": ["a"], "additionalProperties": false, "type": "object" } ";"';
    check(source, ['words { }', '{"a": "}"};'], ['{"a": 1};', '{"a": "}"}']);
  });

  it('names special tokens', () => {
    const source = 'start: <think> /[a-z]*/ (<|call|> | <[257-258]>) "x"';
    assert.ok(accepts(source, think!, 'ab', call!, 'x'));
    assert.ok(!accepts(source, '<think>', 'ab', call!, 'x'));
    assert.ok(!accepts(source, think!, 'ab', think!, 'x'));
    assert.ok(accepts('start: <[^0-255]>', call!) && !accepts('start: <[^0-255]>', 'a'));
  });

  it('has lazy lexemes, intersection and negation', () => {
    const tools =
      'start: (call)* TEXT\nTEXT: /(.|\\n)*/ & ~/(.|\\n)*<f(.|\\n)*/\nhead[lazy]: /(.|\\n)*/ "<f"\ncall: head "=" /[0-9]+/ ">"';
    check(tools, ['free', 'free <f=12> more', '<f=1><f=2>'], ['free <f', 'free <f=x>']);
    check('start: s "!"\ns[capture="x", suffix="end"]: /.*/', ['a end!', 'end!'], ['a!', 'endend!']);
  });

  it('reads what coding agents send', () => {
    check(
      `start: begin_patch hunk+ end_patch
begin_patch: "*** Begin Patch" LF
end_patch: "*** End Patch" LF?

hunk: add_hunk | delete_hunk | update_hunk
add_hunk: "*** Add File: " filename LF add_line+
delete_hunk: "*** Delete File: " filename LF
update_hunk: "*** Update File: " filename LF change_move? change?

filename: /(.+)/
add_line: "+" /(.*)/ LF -> line

change_move: "*** Move to: " filename LF
change: (change_context | change_line)+ eof_line?
change_context: ("@@" | "@@ " /(.+)/) LF
change_line: ("+" | "-" | " ") /(.*)/ LF
eof_line: "*** End of File" LF

%import common.LF
`,
      [
        '*** Begin Patch\n*** Add File: a.ts\n+one\n+\n*** End Patch',
        '*** Begin Patch\n*** Update File: a.ts\n*** Move to: b.ts\n@@ f()\n-old\n+new\n same\n*** End of File\n*** Delete File: c\n*** End Patch\n',
      ],
      ['*** Begin Patch\n*** End Patch', '*** Begin Patch\n*** Add File: a\nx\n*** End Patch'],
    );
  });
});

describe('Lark that is refused', () => {
  const cases: readonly (readonly [source: string, message: RegExp])[] = [
    ['root: "a"', /no rule start/],
    ['start: foo', /the rule foo is used but not defined, at line 1, character 8/],
    ['start: FOO', /the terminal FOO is used but not defined/],
    ['start: "a"\nstart: "b"', /start is defined twice, at line 2/],
    ['start: A\nA: "a" | B\nB: "b" A', /A leads back to itself/],
    ['start: A\nA: start', /cannot have start in it/],
    ['start: A\nA: %json {}', /cannot have %json in it/],
    ['start: "a"{3,2}', /wrong order/],
    ['start: "a"{-1,}', /below zero/],
    ['start: "c".."a"', /one character to a later one/],
    ['start: A\nA.2: "a"', /priorities are not supported, at line 2/],
    ['start: a{x}\na{y}: y', /templates are not supported|is missing/],
    ['start: A\nA[max_tokens=3]: "a"', /the option max_tokens is not supported|is missing/],
    ['start: a\na[stop="x"]: /.*/', /the option stop is not supported/],
    ['%import python.NAME\nstart: NAME', /only common/],
    ['%import common.NOPE\nstart: NOPE', /common has no NOPE; it has DIGIT/],
    ['%declare X\nstart: X', /%declare is not supported/],
    ['start: @other', /other grammars/],
    ['start: "open', /never closed, at line 1, character 8/],
    ['start: ("a"', /"\(" is never closed/],
    ['start: /[a/', /grammar cannot be read: .*never closed/],
    ['start: /a/x', /the flag x is not supported/],
    ['start: <nope>', /no token <nope>/],
    ['start: <[300]>', /no range of this vocabulary/],
    ['start: %json {"a": }', /not JSON/],
    ['start: start "a"', /matches nothing/],
  ];
  for (const [source, message] of cases) {
    it(JSON.stringify(source), () => {
      assert.throws(() => larkGrammar(source, new GrammarBuilder(), special), { code: 'grammar_invalid', message });
    });
  }

  it('names the keyword of a schema', () => {
    assert.throws(() => larkGrammar('start: %json {"uniqueItems": true}'), { code: 'schema_unsupported' });
  });

  it('has limits', () => {
    const deep = `start: ${'('.repeat(300)}"a"${')'.repeat(300)}`;
    for (const source of [deep, `start: "${'a'.repeat(600_000)}"`, 'start: "a"{99999999}'])
      assert.throws(() => larkGrammar(source), { code: 'grammar_limit' });
  });
});
