import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Recogniser } from '../../test/constrain/recogniser.ts';
import { choiceGrammar } from './choice.ts';
import { gbnfGrammar } from './gbnf.ts';
import { GrammarBuilder } from './grammar-builder.ts';
import { regexGrammar } from './regex-grammar.ts';

const examples = new URL('../../node_modules/node-llama-cpp/llama/grammars/', import.meta.url);

function gbnf(source: string): Recogniser {
  const builder = new GrammarBuilder();
  return new Recogniser(gbnfGrammar(source, builder), builder.regexes);
}

describe('GBNF', () => {
  const texts: Record<string, [good: string, bad: string]> = {
    arithmetic: ['1+2=3\n', '1+=3\n'],
    c: ['int main(){return 1;}', 'int main({'],
    chess: ['1. e4 e5\n2. Nf3 Nc6\n', '1. e9 e5\n'],
    english: ['It is good.', '日本'],
    japanese: ['日本', 'abc'],
    json: ['{"a": [1, true, "x"]}', '{"a"}'],
    json_arr: ['[\n1,\n2]', '{}'],
    list: ['- one\n- two\n', 'one\n'],
  };
  for (const [name, [good, bad]] of Object.entries(texts)) {
    it(`reads ${name}.gbnf of llama.cpp`, () => {
      const recogniser = gbnf(readFileSync(new URL(`${name}.gbnf`, examples), 'utf8'));
      assert.equal(recogniser.accepts(good), true, good);
      assert.equal(recogniser.accepts(bad), false, bad);
    });
  }

  it('knows counts, escapes, negated classes and recursion', () => {
    const recogniser = gbnf('root ::= pair{2,3} [^a-c\\]] "\\u00e9\\x21" # end\npair ::= "(" pair? ")"\n');
    assert.equal(recogniser.accepts('(())()xé!'), true);
    assert.equal(recogniser.accepts('()xé!'), false);
    assert.equal(recogniser.accepts('()()aé!'), false);
  });

  const invalid: Record<string, RegExp> = {
    'no root': /no rule named root/,
    'root ::= other': /other is used but not defined/,
    'root ::= "a': /never closed, at line 1, character 10/,
    'root ::= ("a"': /never closed/,
    'root ::= "a"\nroot ::= "b"': /defined twice, at line 2/,
    'root ::= "\\q"': /escape/,
    'root ::= "a" root': /matches nothing/,
  };
  for (const [source, message] of Object.entries(invalid)) {
    it(`refuses ${JSON.stringify(source)}`, () => {
      assert.throws(() => gbnf(source === 'no root' ? 'a ::= "b"' : source), { code: 'grammar_invalid', message });
    });
  }

  it('refuses bombs at once', () => {
    const begin = performance.now();
    assert.throws(() => gbnf(`root ::= ${'('.repeat(1e5)}`), { code: 'grammar_limit' });
    assert.throws(() => gbnf('x'.repeat(1e6)), { code: 'grammar_limit' });
    assert.ok(performance.now() - begin < 250);
  });
});

describe('Choices and regular expressions', () => {
  it('accept one of the texts, and nothing else', () => {
    const builder = new GrammarBuilder();
    const recogniser = new Recogniser(choiceGrammar(['yes', 'no', 'nö"'], builder), builder.regexes);
    assert.deepEqual(
      ['yes', 'no', 'nö"', 'n', 'yesno'].map(text => recogniser.accepts(text)),
      [true, true, true, false, false],
    );
    assert.throws(() => choiceGrammar([]), { code: 'grammar_invalid' });
  });

  it('match the whole text', () => {
    const builder = new GrammarBuilder();
    const recogniser = new Recogniser(regexGrammar('^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}$|x+', builder), builder.regexes);
    assert.deepEqual(
      ['127.0.0.1', 'xx', 'a127.0.0.1', '127.0.0.1 '].map(text => recogniser.accepts(text)),
      [true, true, false, false],
    );
    assert.throws(() => regexGrammar('a(?!a)a'), { code: 'grammar_invalid', message: /matches nothing/ });
  });
});
