/** The thread for long texts: it works on one job after the other, each for a slice at a time, as it is told. */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { asRealmError } from '../../errors.ts';
import { type ModelText, openModelText, type TextSource } from '../../llm/model-text.ts';
import type { Steps } from '../../tokenizer/steps.ts';
import { jobs } from './jobs.ts';
import type { Failure, FromText, ToText } from './messages.ts';

const sliceMs = 20;
if (!parentPort) throw new Error('This file is a thread of its own');
const port = parentPort;
const begun = new Map<number, Steps<unknown>>();
const models = new Map<string, Promise<ModelText>>();

// Linux has a priority for every thread: models are computed on the same cores, and go first.
if (process.platform === 'linux') setPriority(0, 10);

port.on('message', async (message: ToText) => {
  if (message.kind === 'drop') {
    begun.delete(message.id);
    return;
  }
  if (message.kind === 'forget') {
    models.delete(JSON.stringify(message.source));
    return;
  }
  let answer: FromText = { id: message.id, ms: 0 };
  try {
    const steps = message.kind === 'start' ? await start(message) : goOn(message.id);
    answer = work(message.id, steps);
  } catch (error) {
    answer = { ...answer, result: { failure: failureOf(error) } };
  }
  port.postMessage(answer, transferable(answer));
});

async function start({ id, name, source, input }: Extract<ToText, { kind: 'start' }>): Promise<Steps<unknown>> {
  const model = source && (await modelOf(source));
  // The table gives each name its own types; a message has lost them.
  const run = jobs[name].run as (input: unknown, model: ModelText | undefined) => Steps<unknown>;
  const steps = run(input, model);
  begun.set(id, steps);
  return steps;
}

function goOn(id: number): Steps<unknown> {
  const steps = begun.get(id);
  if (!steps) throw new Error(`Job ${id} was not begun, or has ended`);
  return steps;
}

/** Opened when first needed. */
function modelOf(source: TextSource): Promise<ModelText> {
  const key = JSON.stringify(source);
  const known = models.get(key) ?? openModelText(source.path, source);
  models.set(key, known);
  return known;
}

function work(id: number, steps: Steps<unknown>): FromText {
  const started = performance.now();
  const passed = () => performance.now() - started;
  try {
    while (passed() < sliceMs) {
      const { done, value } = steps.next();
      if (!done) continue;
      begun.delete(id);
      return { id, ms: passed(), result: { value } };
    }
    return { id, ms: passed() };
  } catch (error) {
    begun.delete(id);
    return { id, ms: passed(), result: { failure: failureOf(error) } };
  }
}

function failureOf(error: unknown): Failure {
  const { code, message, param, cause } = asRealmError(error);
  return { code, message, param, stack: code === 'internal_error' ? (cause as Error | undefined)?.stack : undefined };
}

function transferable({ result }: FromText): ArrayBuffer[] {
  const value = result && 'value' in result ? result.value : undefined;
  return (Array.isArray(value) ? value : [value]).flatMap(part =>
    ArrayBuffer.isView(part) ? (part.buffer as ArrayBuffer) : [],
  );
}
