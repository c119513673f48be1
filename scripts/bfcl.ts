/**
 * The single-turn cases of BFCL v4 (PyPI `bfcl-eval`, its folder `data`): the calls that are right are written in the format
 * of each kind of template, must be allowed by the grammar of the case's tools, and must be read as the same calls, whole,
 * character by character, and cut in two at every place. `node scripts/bfcl.ts DATA [PART/PARTS]`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { Ajv } from 'ajv';
import { asRealmError, RealmError } from '../src/errors.ts';
import type { AnswerSource, DeclaredTool } from '../src/output-format/constraint-source.ts';
import { outputFormat } from '../src/output-format/output-format.ts';
import { OutputParser } from '../src/output-format/parser.ts';
import { isJson } from '../src/output-format/python-literal.ts';
import type { OutputFormat, ToolCall } from '../src/output-format/types.ts';
import { writeCalls } from '../src/output-format/write-calls.ts';
import { chatTemplate } from '../src/tokenizer/chat-template.ts';
import { createTokenizer } from '../src/tokenizer/create.ts';
import { byteLevelMetadata } from '../src/tokenizer/testing/vocabularies.ts';
import { ByteVocabulary } from '../test/output-format/byte-vocabulary.ts';
import { llamaBundle } from '../test/support/llama-bundle.ts';
import { expectedCalls, jsonSchemaOf, type Schema } from './bfcl-cases.ts';

/** One template of each kind of format. */
const templates = [
  ...['Qwen-Qwen2.5-7B-Instruct', 'Qwen3-Coder', 'GLM-4.6', 'MiniMax-M2', 'MiniMax-M3', 'openbmb-MiniCPM5-1B'],
  ...['deepseek-ai-DeepSeek-V3.1', 'deepseek-ai-DeepSeek-V4', 'google-gemma-4-31B-it', 'LFM2-8B-A1B'],
  ...['mistralai-Mistral-Nemo-Instruct-2407', 'Kimi-K2-Instruct', 'Kimi-K3', 'openai-gpt-oss-120b', 'muse-glimmer'],
  ...['meetkai-functionary-medium-v3.2', 'meta-llama-Llama-3.1-8B-Instruct', 'ByteDance-Seed-OSS'],
  ...['CohereForAI-c4ai-command-r7b-12-2024-tool_use', 'upstage-Solar-Open-100B'],
];
const withCalls = ['simple_python', 'simple_java', 'simple_javascript', 'multiple', 'parallel', 'parallel_multiple'];
const live = ['live_simple', 'live_multiple', 'live_parallel', 'live_parallel_multiple'];
const without = ['irrelevance', 'live_irrelevance', 'live_relevance'];

const [data, part = '0/1'] = process.argv.slice(2);
if (!data) throw new RealmError('usage', 'usage: node scripts/bfcl.ts DATA [PART/PARTS]');
const [index = 0, parts = 1] = part.split('/').map(Number);

interface Case {
  readonly id: string;
  readonly function: readonly { readonly name: string; readonly parameters: unknown }[];
}

const formats = await readFormats();
const bytes = new ByteVocabulary([]);
const ajv = new Ajv({ strict: false });
const totals = { cases: 0, withoutCalls: 0, unfit: 0, answers: 0, wronglyRead: 0, wronglyRejected: 0, refused: 0 };
const shown = new Map<string, number>();

async function readFormats(): Promise<[string, OutputFormat][]> {
  const folder = await llamaBundle();
  const metadata = byteLevelMetadata({}, []);
  const tokenizer = createTokenizer(metadata);
  const ends = ['<|im_end|>', '<|eot_id|>', '</s>', '<|call|>', '<|end|>', '<|END_OF_TURN_TOKEN|>', '[e~[', '<|eot|>'];
  return templates.map(name => {
    const source = readFileSync(`${folder}/models/templates/${name}.jinja`, 'utf8');
    const template = chatTemplate(metadata, tokenizer, { source, now: () => 0 });
    return [name, outputFormat(template, [...ends, '<｜end▁of▁sentence｜>'])];
  });
}

function linesOf(path: string): unknown[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8').trim();
  return text.split('\n').map(line => JSON.parse(line));
}

/** What differs, the first few of each kind. */
function report(kind: keyof typeof totals, format: string, id: string, text: string): void {
  totals[kind]++;
  const key = `${kind} ${format}`;
  const count = (shown.get(key) ?? 0) + 1;
  shown.set(key, count);
  if (count <= 2) console.log(`${key} ${id}: ${text.slice(0, 600)}`);
}

interface Answer {
  readonly content: string;
  readonly calls: readonly unknown[];
}

function read(format: OutputFormat, tools: ReadonlyMap<string, object>, pieces: readonly string[]): Answer {
  const parser = new OutputParser(format, tools);
  const calls: { name: string; given: string }[] = [];
  let content = '';
  for (const event of [...pieces.flatMap(piece => parser.push(piece)), ...parser.end()]) {
    if (event.kind === 'call') calls.push({ name: event.name, given: '' });
    else if (event.kind === 'arguments') calls[event.index]!.given += event.text;
    else if (event.kind === 'content') content += event.text;
  }
  return { content, calls: calls.map(({ name, given }) => [name, parsed(given)]) };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return `no JSON: ${json}`;
  }
}

function tryCase({ id, function: functions }: Case, truth: unknown, number: number): void {
  const tools = new Map(functions.map(({ name, parameters }) => [name, jsonSchemaOf(parameters)]));
  const declared = [...tools].map(([name, schema]) => ({ name, parameters: JSON.stringify(schema) }));
  const calls = truth === undefined ? [] : expectedCalls(truth, tools);
  totals.cases++;
  if (calls.length === 0) totals.withoutCalls++;
  if (!calls.every(({ name, arguments: given }) => fits(tools.get(name), JSON.parse(given)))) {
    totals.unfit++;
    return;
  }
  for (const [at, [name, format]] of formats.entries()) tryFormat(name, format, at === number % formats.length);

  function tryFormat(name: string, format: OutputFormat, everyCut: boolean): void {
    const { tools: written, text: marked } = format;
    if (!written) throw new RealmError('tools_unsupported', `${name} gives no format`);
    const one = written.between === undefined ? calls.slice(0, 1) : calls;
    const text = calls.length > 0 ? writeCalls(written, one) : `${marked?.open ?? ''}I cannot do that.`;
    const expected = {
      content: calls.length > 0 ? '' : 'I cannot do that.',
      calls: one.map(call => [call.name, withoutNulls(format, JSON.parse(call.arguments))]),
    };
    totals.answers++;
    const cuts = everyCut ? Array.from(text, (_, cut) => [text.slice(0, cut), text.slice(cut)]) : [];
    for (const pieces of [[text], [...text], ...cuts]) {
      const got = read(format, tools, pieces);
      if (isDeepStrictEqual({ ...got, content: got.content.trim() }, expected)) continue;
      report('wronglyRead', name, id, `${text}\n${JSON.stringify(got)}`);
      break;
    }
    tryGrammar(name, { kind: 'answer', text: marked, tools: { format: written, ...rest(declared, calls) } }, text);
  }

  function tryGrammar(name: string, source: AnswerSource, text: string): void {
    try {
      const allowed = bytes.allowed(source, text);
      if (allowed !== text) report('wronglyRejected', name, id, `${allowed} | ${text.slice(allowed.length)}`);
    } catch (error) {
      const { code, message } = asRealmError(error);
      report('refused', name, id, `${code}: ${message}`);
    }
  }
}

const rest = (declared: readonly DeclaredTool[], calls: readonly ToolCall[]) =>
  ({ declared, choice: calls.length > 0 ? 'required' : 'auto', parallel: true }) as const;

function fits(schema: Schema | undefined, given: object): boolean {
  if (schema === undefined || !ajv.validate(schema, given)) return false;
  // Where a schema says no type, a text that looks like a number cannot be told from one.
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  return Object.entries(given).every(
    ([key, value]) => properties[key]?.type !== undefined || typeof value !== 'string' || !isJson(value),
  );
}

/** Some formats leave nulls out. */
function withoutNulls({ tools }: OutputFormat, value: unknown): unknown {
  const leavesOut = tools?.call.some(part => part.kind === 'arguments' && 'items' in part.style);
  if (!leavesOut || typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null));
}

let number = 0;
for (const category of [...withCalls, ...live, ...without]) {
  const truths = new Map(
    linesOf(`${data}/possible_answer/BFCL_v4_${category}.json`).map(line => {
      const { id, ground_truth } = line as { id: string; ground_truth: unknown };
      return [id, ground_truth];
    }),
  );
  for (const each of linesOf(`${data}/BFCL_v4_${category}.json`) as Case[]) {
    if (number++ % parts === index) tryCase(each, truths.get(each.id), number);
  }
}
console.log(JSON.stringify(totals), `${formats.length} formats`);
