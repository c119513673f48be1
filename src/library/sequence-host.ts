import { checkLength } from '../engine/admission.ts';
import type { GenerateRequest, TokenLogprob } from '../engine/request.ts';
import { RealmError } from '../errors.ts';
import { constraintOf } from '../llm/answer-constraint.ts';
import { embed, encodeInput } from '../llm/embed.ts';
import { markersIn } from '../llm/output-format.ts';
import { declaredTools } from '../llm/program/declared-tools.ts';
import { readAnswer } from '../llm/program/read-answer.ts';
import { answerOf, submitted, withEnd } from '../llm/program/submission.ts';
import { encodePrompt, parseChatDocument } from '../llm/prompt.ts';
import type { TextEnd, TextPiece } from '../llm/types.ts';
import type { Position, SequenceHost, Submission, Submitted } from '../sandbox/v2/types.ts';
import { finish } from '../tokenizer/steps.ts';
import type { Token } from '../tokenizer/types.ts';
import type { Asked, LibraryRun } from './program-run.ts';

/** What a program of ABI v2 asks, on one model without a server. */
export function sequenceHost(run: LibraryRun): SequenceHost {
  const { model, request, limits, saved: kept, options, emitted } = run.asked;
  const { tokenizer, engine } = model;
  const { context } = engine.info;
  const { tenant } = request;
  /** A prompt of this program's has begun the thoughts. */
  let inReasoning = false;
  return {
    async chatTokens(modelId, document) {
      const encoded = finish(encodePrompt(run.find(modelId), parseChatDocument(document), { context }));
      inReasoning ||= encoded.inReasoning;
      run.inReasoning ??= encoded.inReasoning;
      return Int32Array.from(encoded.tokens);
    },
    async textTokens(modelId, text, { special, begin }) {
      return Int32Array.from(run.find(modelId).tokenizer.encode(text, { parseSpecial: special, addSpecial: begin }));
    },
    async checkConstraint(modelId, constraint) {
      // Compiled where it is used, and kept there for the tenant: a prompt of one token, and no answer.
      const prompt = [tokenizer.bos ?? (0 as Token)];
      const asked = { ...run.owned(), prompt, sampling: {}, maxTokens: 0, constraint };
      for await (const event of run.find(modelId).generate(asked)) if (event.kind === 'end') run.count(event.usage);
    },
    async toolConstraint(modelId, tools, choice) {
      const use = declaredTools(tools, choice);
      const source = use && constraintOf(run.find(modelId).format, use, undefined, inReasoning);
      if (source) return source;
      throw new RealmError('invalid_request', "The program's constraint on calls of tools names no tools");
    },
    submit: (submission, signal, onText) => submit(run, submission, signal, onText),
    async logits(position, signal) {
      const asked = { ...requestOf(run, position), sampling: {}, maxTokens: 0, logits: true };
      const { logits } = await called(run, position, asked, signal);
      if (logits) return logits;
      throw cancelled();
    },
    async embed(modelId, text, signal) {
      const prompt = Array.from(finish(encodeInput(run.find(modelId), text, { context }, 'input'))) as Token[];
      const asked = { ...run.owned(), prompt, adapter: request.adapter };
      const { values, usage } = await embed(engine, asked, signal);
      run.count(usage);
      return values;
    },
    async parse(modelId, tools, tokens) {
      return finish(readAnswer({ tokens, tools, inReasoning }, run.find(modelId)));
    },
    async findModel(name) {
      return run.named(name);
    },
    async checkAdapter(modelId, name) {
      run.find(modelId);
      run.adapterOf(name);
    },
    async save(modelId, key, saved, ttlSeconds) {
      run.find(modelId);
      const { savedSequences: sequences, savedBytes: bytes } = limits;
      kept.save(tenant, key, saved, ttlSeconds, { sequences, bytes });
    },
    async open(modelId, key) {
      run.find(modelId);
      return kept.open(tenant, key);
    },
    tool: (name, input, signal) => callTool(options, name, input, signal),
    async budget() {
      const used = kept.used(tenant);
      const left = {
        sequences: Math.max(0, limits.savedSequences - used.sequences),
        bytes: Math.max(0, limits.savedBytes - used.bytes),
      };
      const tools = Object.keys(options.tools ?? {}).map(name => ({ name, description: '' }));
      return JSON.stringify({ budgets: [], saved: left, tools });
    },
    emit: (kind, text) => emitted.add(kind, text),
    log: (level, text) => options.onLog?.(level, text),
  };
}

/** Runs one of a program's sequences on, as one call to the engine. */
async function submit(
  run: LibraryRun,
  submission: Submission,
  signal: AbortSignal,
  onText?: Parameters<SequenceHost['submit']>[2],
): Promise<Submitted> {
  const markers = markersIn(run.find(submission.modelId).format, run.asked.tools);
  const request = { ...requestOf(run, submission), ...answerOf(submission, run.asked.request, markers) };
  const logprobs: TokenLogprob[] = [];
  const end = await called(run, submission, request, signal, ({ text, logprob }) => {
    if (logprob) logprobs.push(logprob);
    return onText && text !== '' ? onText(text) : undefined;
  });
  const tokens = withEnd(submission, end);
  run.charged.add(placeOf(request), tokens);
  if (onText || !run.streamed) run.noteEnd(end);
  run.streamed ||= onText !== undefined;
  return submitted(submission, { ...end, tokens }, logprobs);
}

/** Makes the call, and counts what of the sequence nobody has counted. */
async function called(
  run: LibraryRun,
  { modelId, tokens }: Position,
  request: GenerateRequest,
  signal: AbortSignal,
  onPiece?: (piece: TextPiece) => Promise<void> | undefined,
): Promise<TextEnd> {
  const model = run.find(modelId);
  checkLength(tokens.length, model.engine.info.context, { maxTokens: request.maxTokens, param: 'sequence' });
  // What is computed for a whole prompt again counts, though all of it was computed before.
  const claim = await run.charged.claim(placeOf(request), tokens, request.maxTokens === 0 ? 1 : 0);
  claim.granted();
  try {
    for await (const event of model.generate(request, signal)) {
      if (event.kind === 'end') {
        run.count(claim.of(event.usage));
        return event;
      }
      const room = onPiece?.(event);
      if (room) await room;
    }
    throw cancelled();
  } finally {
    claim.end();
  }
}

function requestOf(run: LibraryRun, { tokens, adapter }: Position): Omit<GenerateRequest, 'sampling'> {
  const prompt = Array.from(tokens) as Token[];
  return { ...run.owned(), prompt, adapter: run.adapterOf(adapter), keepsTail: true };
}

/** Where tokens are computed: what the model has is of no use to it with an adapter. */
const placeOf = ({ adapter = '' }: Pick<GenerateRequest, 'adapter'>): string => adapter;

const cancelled = () => new RealmError('request_cancelled', 'The request was cancelled');

/** One of the caller's functions. Throws `tool_not_found`, `invalid_request` (its input), `tool_failed`. */
async function callTool(
  { tools = {} }: Asked['options'],
  name: string,
  input: string,
  signal: AbortSignal,
): Promise<string> {
  const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
  if (!tool)
    throw new RealmError('tool_not_found', `There is no tool ${JSON.stringify(name)}; run names them in its tools`);
  const value = parsed(input);
  try {
    return JSON.stringify((await tool(value, signal)) ?? null) ?? 'null';
  } catch (cause) {
    const message = `The tool ${name} failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new RealmError('tool_failed', message, { cause });
  }
}

function parsed(input: string): unknown {
  try {
    return input === '' ? {} : JSON.parse(input);
  } catch (error) {
    throw new RealmError('invalid_request', `A tool's input is JSON: ${(error as Error).message}`);
  }
}
