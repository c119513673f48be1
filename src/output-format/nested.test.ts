import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteVocabulary } from '../../test/output-format/byte-vocabulary.ts';
import { OutputParser } from './parser.ts';
import { shipped } from './shipped.ts';
import type { ToolFormat } from './types.ts';
import { writeCalls } from './write-calls.ts';

const nested = toolsOf(']<]minimax[>[');
const sections = toolsOf('<tool_def_sep>');

const node = {
  type: 'object',
  properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/$defs/node' } } },
  required: ['name'],
};
const parameters = {
  type: 'object',
  properties: {
    text: { type: 'string' },
    count: { type: 'integer' },
    on: { type: 'boolean' },
    tags: { type: 'array', items: { type: 'string' }, maxItems: 3 },
    pair: { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 2 },
    tree: { $ref: '#/$defs/node' },
    maybe: { anyOf: [{ type: 'object', properties: { x: { type: 'number' } } }, { type: 'null' }] },
    either: { type: ['string', 'integer'] },
    free: { type: 'object' },
    counts: { type: 'object', additionalProperties: { type: 'integer' } },
  },
  required: ['text'],
  $defs: { node },
};
const declared = [{ name: 'plant', parameters: JSON.stringify(parameters) }];
const bytes = new ByteVocabulary([]);

function toolsOf(sign: string): ToolFormat {
  return shipped.find(each => each.sign === sign)!.format.tools!;
}

function read(tools: ToolFormat, text: string, pieces: readonly string[] = [text]): unknown {
  const parser = new OutputParser({ tools }, new Map([['plant', parameters]]));
  let given = '';
  for (const event of [...pieces.flatMap(piece => parser.push(piece)), ...parser.end()]) {
    if (event.kind === 'arguments') given += event.text;
    else assert.ok(event.kind === 'call' || event.kind === 'callEnd', `${text}\n${JSON.stringify(event)}`);
  }
  return JSON.parse(given);
}

const samples: Readonly<Record<string, unknown>>[] = [
  { text: ' two\nlines & <b>42</b> "' },
  { text: '42', count: -3, on: true },
  { text: '', tags: [], pair: [1, 2.5] },
  { text: 'x', tags: ['a', ' b\n', '<item>'] },
  { text: 'x', tree: { name: 'true', children: [{ name: 'b', children: [] }, { name: '{"c": 1}' }] } },
  { text: 'x', maybe: { x: 5 }, free: { 'a-b': 'text', c: 5 }, counts: { one: 1 } },
];

describe('arguments as elements in elements', () => {
  it('are written as the model was told', () => {
    const written = writeCalls(nested, [{ name: 'plant', arguments: '{"text":"x","tags":["a"],"none":null}' }]);
    const mark = ']<]minimax[>[';
    assert.equal(
      written,
      `${mark}<tool_call>\n${mark}<invoke name="plant">${mark}<text>x${mark}</text>${mark}<tags>${mark}<item>a${mark}</item>` +
        `${mark}</tags>${mark}</invoke>\n${mark}</tool_call>`,
    );
  });

  it('are read by their types, however they are cut, and the grammar has them', () => {
    const constraint = bytes.compile({
      kind: 'answer',
      tools: { format: nested, declared, choice: 'required', parallel: true },
    });
    for (const sample of samples) {
      const text = writeCalls(nested, [{ name: 'plant', arguments: JSON.stringify(sample) }]);
      assert.deepEqual(read(nested, text), sample, text);
      assert.deepEqual(read(nested, text, [...text]), sample, text);
      assert.equal(bytes.allowed(constraint, text), text);
    }
  });

  it('keep to their schemas', () => {
    const constraint = bytes.compile({
      kind: 'answer',
      tools: { format: nested, declared, choice: 'required', parallel: true },
    });
    for (const bad of [
      { text: 'x', count: 1.5 },
      { text: 'x', tags: ['a', 'b', 'c', 'd'] },
      { text: 'x', pair: [1] },
      { text: 'x', tree: { children: [] } },
      { text: 'x', counts: { one: 'a' } },
      { count: 1 },
    ]) {
      const text = writeCalls(nested, [{ name: 'plant', arguments: JSON.stringify(bad) }]);
      assert.notEqual(bytes.allowed(constraint, text), text, text);
    }
  });

  it('refuse what they cannot keep, by its name', () => {
    const list = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } };
    const tools = { format: nested, choice: 'auto', parallel: true } as const;
    const odd = [{ name: 'odd', parameters: JSON.stringify(list) }];
    assert.throws(() => bytes.compile({ kind: 'answer', tools: { ...tools, declared: odd } }), {
      code: 'schema_unsupported',
      message: /uniqueItems/,
    });
  });
});

describe('texts in sections', () => {
  it('are read, and the grammar has them', () => {
    const constraint = bytes.compile({
      kind: 'answer',
      tools: { format: sections, declared, choice: 'required', parallel: true },
    });
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '<', '&', '\n', ' ', '</param>', ']]') }), text => {
        const sample = { text, count: 5, on: false, tags: ['a', "it's"], tree: { name: 'b' } };
        const written = writeCalls(sections, [{ name: 'plant', arguments: JSON.stringify(sample) }]);
        if (text.includes(']]>')) return;
        assert.deepEqual(read(sections, written, [...written]), sample, written);
        assert.equal(bytes.allowed(constraint, written), written);
      }),
      { numRuns: 50 },
    );
  });
});
