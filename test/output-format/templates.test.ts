import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { answerRenderer, behindPrompt, type RenderAnswer } from '../../src/output-format/derive.ts';
import { outputFormat } from '../../src/output-format/output-format.ts';
import { OutputParser } from '../../src/output-format/parser.ts';
import { awkwardCall, mixedCall, type ProbeCall, probeTools, textCalls, user } from '../../src/output-format/probes.ts';
import { commonStart } from '../../src/output-format/repeated.ts';
import { shipped } from '../../src/output-format/shipped.ts';
import type { OutputFormat, ToolCall, ToolFormat } from '../../src/output-format/types.ts';
import { writeCalls } from '../../src/output-format/write-calls.ts';
import { chatTemplate } from '../../src/tokenizer/chat-template.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import { byteLevelMetadata } from '../../src/tokenizer/testing/vocabularies.ts';
import type { ChatTemplate } from '../../src/tokenizer/types.ts';
import { llamaBundle } from '../support/llama-bundle.ts';
import { ByteVocabulary } from './byte-vocabulary.ts';

/** These know no tools, or say nothing of them. */
const without = [
  'HuggingFaceTB-SmolLM3-3B',
  'google-gemma-2-2b-it',
  'llama-cpp-rwkv-world',
  'microsoft-Phi-3.5-mini-instruct',
];
/** Texts of tokens that end an answer, of all vocabularies together. */
const ends = [
  ...['<|im_end|>', '<|eot_id|>', '<|eom_id|>', '</s>', '<|call|>', '<|end|>', '<|END_OF_TURN_TOKEN|>', '[e~['],
  ...['<|end_of_text|>', '<｜end▁of▁sentence｜>', '<|message_sep|>', '<|role_end|>', '<|calls|>', '<|eot|>', '<eos>'],
  ...['<turn|>', '<|tool_response>', '<SPECIAL_12>', '<｜hy_eos:opensource｜>'],
];

/** Texts of tokens that end an answer which is text. */
const moreEnds = [
  ...['<seed:eos>', '<end_of_sentence>', '<sep>', '<end_of_turn>', '<|return|>', '</assistant>', '<|end_of_msg|>'],
];

const metadata = byteLevelMetadata({}, []);
const tokenizer = createTokenizer(metadata);
const folder = join(await llamaBundle(), 'models/templates');
const templates = readdirSync(folder)
  .filter(file => file.endsWith('.jinja'))
  .map(file => file.replace('.jinja', ''));

const schemas = new Map(probeTools.map(({ function: { name, parameters } }) => [name, parameters]));
const bytes = new ByteVocabulary([]);

/** The probes' schemas without what the awkward values do not keep to. */
const declared = probeTools.map(({ function: { name, parameters } }) => ({
  name,
  parameters: JSON.stringify({
    type: 'object',
    properties: { ...parameters.properties, zqinner: { type: 'object' }, zqlist: {} },
  }),
}));

function load(name: string): ChatTemplate {
  const source = readFileSync(join(folder, `${name}.jinja`), 'utf8');
  return chatTemplate(metadata, tokenizer, { source, now: () => 0 });
}

function probesFor({ between, call }: ToolFormat): ProbeCall[][] {
  // Where objects are elements in elements, values of unknown types are texts.
  const isNested = call.some(part => part.kind === 'arguments' && 'items' in part.style);
  const typed = isNested ? [] : [[mixedCall], [awkwardCall]];
  const one = [textCalls(1, 0), textCalls(1, 1), textCalls(1, 2), ...typed];
  return between === undefined ? one : [...one, textCalls(2, 2), textCalls(3, 1)];
}

const plain = ({ name, arguments: given }: ProbeCall | ToolCall): unknown[] => [
  name,
  typeof given === 'string' ? JSON.parse(given) : given,
];

const asToolCall = ({ name, id, arguments: given }: ProbeCall): ToolCall => ({
  name,
  id,
  arguments: JSON.stringify(given),
});

function callsIn(text: string, format: OutputFormat, size: number): ToolCall[] {
  const parser = new OutputParser(format, schemas);
  const calls: { name: string; arguments: string }[] = [];
  const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
  for (const event of [...pieces.flatMap(piece => parser.push(piece)), ...parser.end()]) {
    if (event.kind === 'call') calls.push({ name: event.name, arguments: '' });
    else if (event.kind === 'arguments') calls[event.index]!.arguments += event.text;
    else assert.ok(event.kind === 'callEnd' || event.text.trim() === '', `${text}\n${JSON.stringify(event)}`);
  }
  return calls;
}

/** How the model answers: as its template writes it, or as its shipped format says. */
function writer(template: ChatTemplate, format: ToolFormat): (calls: readonly ProbeCall[]) => string {
  const written = (calls: readonly ProbeCall[]) => writeCalls(format, calls.map(asToolCall));
  if (format.history === 'content') return written;
  const { history } = format;
  const isShipped = shipped.some(({ format: { tools } }) => tools === format);
  let render: RenderAnswer | undefined;
  return calls => {
    render ??= answerRenderer(template, ends);
    // Models with a shipped format answer otherwise than their template writes.
    return isShipped ? written(calls) : render(calls, history);
  };
}

/** What the model writes to answer with a text, as the template shows it. */
function plainAnswer(template: ChatTemplate): string {
  const prompt = template.render([user]);
  const history = template.render([user, { role: 'assistant', content: 'zqcontent' }], { addGenerationPrompt: false });
  const from = commonStart(history, prompt);
  const turn = behindPrompt(history.slice(from), prompt);
  const stops = [...ends, ...moreEnds].map(end => turn.indexOf(end, turn.indexOf('zqcontent'))).filter(at => at >= 0);
  return turn.slice(0, Math.min(turn.length, ...stops));
}

function contentIn(text: string, format: OutputFormat, size: number): string {
  const parser = new OutputParser(format, schemas);
  const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
  const events = [...pieces.flatMap(piece => parser.push(piece)), ...parser.end()];
  return events.map(event => (event.kind === 'content' ? event.text : '')).join('');
}

describe("llama.cpp's templates", () => {
  for (const name of templates) {
    const template = load(name);
    const format = outputFormat(template, ends);
    const { tools } = format;
    it(`${name}: an answer that is text is read without what marks it`, () => {
      const text = plainAnswer(template);
      for (const size of [1, 7, text.length]) {
        const content = contentIn(text, format, size);
        // Thoughts that the prompt has begun are ended by the answer.
        const { open = '', close = '' } = format.reasoning ?? {};
        const inside = text.trimStart().startsWith(close) && close !== '';
        const read = inside ? contentIn(`${open}${text}`, format, size) : content;
        assert.equal(read.trim(), 'zqcontent', text);
      }
    });
    if (without.includes(name)) {
      it(`${name} gives no format of calls`, () => assert.equal(tools, undefined));
      continue;
    }
    it(`${name}: calls are read as they were written, however they are cut`, () => {
      assert.ok(tools, 'no format');
      const write = writer(template, tools);
      for (const calls of probesFor(tools)) {
        const text = write(calls);
        for (const size of [1, 7, text.length])
          assert.deepEqual(callsIn(text, { tools }, size).map(plain), calls.map(plain), text);
      }
    });
    it(`${name}: the grammar has what the template writes`, () => {
      assert.ok(tools, 'no format');
      const write = writer(template, tools);
      const constraint = bytes.compile({
        kind: 'answer',
        tools: { format: tools, declared, choice: 'required', parallel: true },
      });
      for (const calls of probesFor(tools).filter(([call]) => call !== mixedCall)) {
        const text = write(calls).trim();
        const own = writeCalls(tools, calls.map(asToolCall)).trim();
        assert.equal(bytes.allowed(constraint, own), own);
        // Where it differs in white space alone, as a template does without arguments, the plainest way is allowed.
        if (text.replace(/\s/g, '') !== own.replace(/\s/g, '')) assert.equal(bytes.allowed(constraint, text), text);
      }
    });
  }
});
