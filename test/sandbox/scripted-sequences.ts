/** A host for programs of ABI v2 whose model is a table: what may follow a text, character by character. */
import type { ConstraintState } from '../../src/constrain/constraint.ts';
import type { TokenLogprob } from '../../src/engine/request.ts';
import { RealmError } from '../../src/errors.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import type { ProgramHost } from '../../src/sandbox/types.ts';
import type { Position, SavedSequence, SequenceHost, Submission, Submitted } from '../../src/sandbox/v2/types.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { ByteVocabulary } from '../output-format/byte-vocabulary.ts';

/** Tokens are bytes; then these, and the end. */
const controls = ['<s>', '<user>', '<assistant>'];
export const words = new ByteVocabulary(controls);
export const vocabulary = words.end + 1;
const END = 'END';

/** Probabilities of the characters (or END) that may follow a text; all others share what is left, at most a millionth. */
export type Table = (text: string) => Readonly<Record<string, number>>;

/** Says `answer` behind a prompt's end, whatever was asked. */
export const says = (answer: string): Table => {
  return text => {
    const said = text.slice(text.lastIndexOf('<assistant>') + '<assistant>'.length);
    const next = answer.startsWith(said) ? answer[said.length] : undefined;
    return { [next ?? END]: 0.9 };
  };
};

export interface Scripted {
  readonly host: ProgramHost;
  readonly sequences: SequenceHost;
  /** What was submitted. */
  readonly submissions: Submission[];
  readonly emitted: [kind: string, text: string][];
  readonly logged: string[];
  readonly tools: [name: string, input: string][];
  readonly saved: Map<string, SavedSequence>;
  /** Submissions that have not ended. */
  open(): number;
}

export function scripted(table: Table = says('Hello'), more: Partial<SequenceHost> = {}): Scripted {
  let open = 0;
  const script: Omit<Scripted, 'host' | 'sequences' | 'open'> = {
    submissions: [],
    emitted: [],
    logged: [],
    tools: [],
    saved: new Map(),
  };
  const sequences: SequenceHost = {
    chatTokens: async (_model, document) => {
      const { messages } = JSON.parse(document) as { messages: { role: string; content: string }[] };
      const turns = messages.map(({ role, content }) => `<${role === 'user' ? 'user' : 'assistant'}>${content}`);
      return Int32Array.from(words.tokens(`${turns.join('')}<assistant>`));
    },
    textTokens: async (_model, text, { special, begin }) =>
      Int32Array.from([
        ...(begin ? words.tokens('<s>') : []),
        ...(special ? words.tokens(text) : new TextEncoder().encode(text)),
      ]),
    checkConstraint: async (_model, source) => {
      words.compile(source);
    },
    toolConstraint: async (_model, tools) => {
      const names = (JSON.parse(tools) as { function: { name: string } }[]).map(each => each.function.name);
      const schema = { type: 'object', properties: { name: { enum: names }, arguments: { type: 'object' } } };
      return { kind: 'json_schema', schema: JSON.stringify({ ...schema, required: ['name', 'arguments'] }) };
    },
    submit: async (submission, signal, onText) => {
      script.submissions.push(submission);
      open++;
      try {
        return await generate(table, submission, signal, onText);
      } finally {
        open--;
      }
    },
    logits: async ({ tokens }) => Float32Array.from(distribution(table, tokens)),
    embed: async (_model, text) => embedding(text),
    parse: async (_model, _tools, tokens) =>
      JSON.stringify({ content: words.text([...tokens] as Token[]), reasoning: '', tool_calls: [] }),
    save: async (key, saved) => {
      script.saved.set(key, saved);
    },
    open: async (_model, key) => script.saved.get(key),
    tool: async (name, input) => {
      script.tools.push([name, input]);
      throw new RealmError('tool_not_found', `There is no tool ${name}.`);
    },
    budget: async () => JSON.stringify({ tokens: 1000 }),
    findModel: async name => {
      if (name === 'other') return 8 as ModelId;
      throw new RealmError('model_not_found', `There is no model ${name}.`);
    },
    checkAdapter: async (_model, name) => {
      if (name !== 'legal') throw new RealmError('adapter_not_found', `There is no adapter ${name}.`);
    },
    emit: (kind, text) => script.emitted.push([kind, text]),
    log: (level, text) => script.logged.push(`${level}: ${text}`),
    ...more,
  };
  const host: ProgramHost = {
    generate: async () => {},
    encode: async (_model, text) => words.tokens(text),
    decode: async (_model, tokens) => words.text([...tokens] as Token[]),
    metadata: model => {
      if (model !== 7 && model !== 8) throw new RealmError('model_not_found', `There is no model ${model}.`);
      return JSON.stringify({
        id: `model-${model}`,
        context: 4096,
        vocab_size: vocabulary,
        width: 26,
        ends: [words.end],
      });
    },
    sequences,
  };
  return { host, sequences, open: () => open, ...script };
}

/** How often letters come. */
function embedding(text: string): Float32Array {
  const vector = new Float32Array(26);
  for (const letter of text.toLowerCase().replace(/[^a-z]/g, '')) vector[letter.charCodeAt(0) - 97]! += 1;
  const length = Math.hypot(...vector) || 1;
  return vector.map(value => value / length);
}

/** Log-probabilities of all tokens. */
function distribution(table: Table, tokens: Uint32Array): number[] {
  const next = table(words.text([...tokens] as Token[]));
  const given = new Map(
    Object.entries(next).map(([text, p]) => [text === END ? words.end : (words.tokens(text)[0] as number), p]),
  );
  const sum = [...given.values()].reduce((a, b) => a + b, 0);
  const rest = Math.max(1e-6, 1 - sum) / vocabulary;
  const all = Array.from({ length: vocabulary }, (_, token) => (given.get(token) ?? 0) + rest);
  const total = all.reduce((a, b) => a + b, 0);
  return all.map(p => Math.log(p / total));
}

async function generate(
  table: Table,
  submission: Submission & Position,
  signal: AbortSignal,
  onText?: (text: string) => Promise<void> | undefined,
): Promise<Submitted> {
  const { answered, maxTokens, sampling, stopTokens, stop, ignoreEnds, topLogprobs, scored } = submission;
  const all = [...submission.tokens];
  const state = submission.constraint && words.compile(submission.constraint).start();
  for (const token of answered > 0 ? all.slice(-answered) : []) state?.accept(token as Token);
  const tokens: number[] = [];
  const logprobs: TokenLogprob[] = [];
  const ended = (reason: Submitted['reason'], stopString?: string): Submitted => ({
    tokens: Uint32Array.from(tokens),
    reason,
    stopString,
    ...(topLogprobs !== undefined && { logprobs }),
    ...(scored && { scores: Float32Array.from(logprobs.flatMap(each => each.scores ?? [])) }),
  });
  const most = sampling.temperature === undefined ? Math.min(maxTokens, 500) : maxTokens;
  for (let text = ''; tokens.length < most; ) {
    await new Promise(resolve => setImmediate(resolve));
    if (signal.aborted) return ended('cancelled');
    const row = distribution(table, Uint32Array.from(all));
    const token = choose(row, allowedOf(submission, tokens.length, state), submission, answered + tokens.length);
    const ends = (token === words.end && !ignoreEnds) || stopTokens.includes(token);
    if (ends && !submission.keepEnd) return ended('stop');
    state?.accept(token as Token);
    all.push(token);
    tokens.push(token);
    const best = row
      .map((logprob, token) => ({ token: token as Token, logprob }))
      .sort((a, b) => b.logprob - a.logprob)
      .slice(0, topLogprobs);
    const scores = scored?.map(each => row[each]!);
    logprobs.push({ token: token as Token, logprob: row[token]!, top: best, scores });
    if (ends) return ended('stop');
    const piece = words.text([token as Token]);
    text += piece;
    await onText?.(piece);
    const stopped = stop.find(each => text.endsWith(each));
    if (stopped !== undefined) return ended('stop', stopped);
  }
  return ended('length');
}

function allowedOf({ mask, minTokens }: Submission, at: number, state: ConstraintState | undefined): Set<number> {
  const inMask = (token: number) => !mask || at > 0 || ((mask[token >> 5]! >>> (token & 31)) & 1) === 1;
  const all = state ? words.allowedNext(state) : Array.from({ length: vocabulary }, (_, token) => token);
  const allowed = all.filter(token => inMask(token) && (token !== words.end || at >= minTokens));
  if (allowed.length === 0) throw new RealmError('constraint_dead_end', 'Nothing can follow.');
  return new Set(allowed);
}

function choose(row: readonly number[], allowed: ReadonlySet<number>, { sampling }: Submission, at: number): number {
  const biased = [...row];
  const bias = (sampling.logitBias ?? []) as Float64Array;
  for (let i = 0; i < bias.length; i += 2) biased[bias[i]!]! += bias[i + 1]!;
  const { temperature = 0 } = sampling;
  const noise = temperature === 0 ? () => 0 : gumbel(Number(BigInt(sampling.seed ?? 1) % 1_000_003n) * 977 + at);
  const score = (token: number) => biased[token]! + temperature * noise();
  return [...allowed].map(token => [score(token), token] as const).reduce((a, b) => (b[0] > a[0] ? b : a))[1];
}

function gumbel(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return -Math.log(-Math.log((((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 32));
  };
}
