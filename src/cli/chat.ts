import { createInterface, type Interface } from 'node:readline/promises';
import { text as readText } from 'node:stream/consumers';
import type { DeviceChoice } from '../backend/device.ts';
import type { FinishReason, GenerationSettings, Sampling } from '../engine/request.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { LoadedModel } from '../llm/load.ts';
import { encodePrompt } from '../llm/prompt.ts';
import { finish } from '../tokenizer/steps.ts';
import type { ChatMessage } from '../tokenizer/types.ts';
import { type ChatInput, ChatLines, chatHelp } from './chat-input.ts';
import { loadForRun } from './load.ts';
import { printJson, remark, visible } from './output.ts';
import { readConstraint } from './read-constraint.ts';

export interface RunOptions
  extends Pick<GenerationSettings, 'maxTokens'>,
    Readonly<Pick<Sampling, 'temperature' | 'topP' | 'seed'>> {
  readonly model?: string;
  readonly context?: number;
  readonly threads?: number;
  readonly device?: DeviceChoice;
  readonly gpuLayers?: number;
  readonly system?: string;
  /** Files that say what answers must be. */
  readonly schema?: string;
  readonly grammar?: string;
  readonly json?: boolean;
}

interface AskOptions extends RunOptions, Pick<GenerationSettings, 'constraint'> {}

interface Answer {
  readonly text: string;
  readonly reason: FinishReason;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly timeToFirstTokenMs: number;
  /** Of the tokens after the first; undefined when there is none. */
  readonly tokensPerSecond?: number | undefined;
}

/** `realm run`: one prompt (an argument or piped in), or a chat when there is a terminal to have it on. */
export async function chat(prompt: string | undefined, options: RunOptions): Promise<void> {
  const single = prompt ?? (process.stdin.isTTY ? undefined : await readText(process.stdin));
  if (single?.trim() === '') throw new RealmError('usage', 'the prompt is empty; give one, or chat on a terminal.');
  if (single === undefined && options.json) throw new RealmError('usage', '--json answers one prompt; give one.');
  const constraint = await readConstraint(options);
  const { model, close } = await loadForRun(options);
  try {
    if (single === undefined) await converse(model, { ...options, constraint });
    else await answerOnce(model, single, { ...options, constraint });
  } finally {
    await close();
  }
}

/** Ctrl-C stops the answer; what came until then stays. */
async function answerOnce(model: LoadedModel, prompt: string, options: AskOptions): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const messages = [...opening(options), { role: 'user', content: prompt }];
  const answer = await generate(model, messages, options, stop.signal, options.json ? () => {} : write);
  if (options.json) return printJson(answer);
  process.stdout.write('\n');
  remark(measurements(answer));
}

async function converse(model: LoadedModel, options: AskOptions): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  let messages: ChatMessage[] = opening(options);
  let stop: AbortController | undefined;
  // Ctrl-C ends an answer first, and the chat when there is none.
  terminal.on('SIGINT', () => (stop ? stop.abort() : terminal.close()));
  remark(`${model.id}. /help says what can be typed here; Ctrl-D ends the chat, Ctrl-C stops an answer.`);
  const answer = async (content: string): Promise<void> => {
    stop = new AbortController();
    try {
      const asked = [...messages, { role: 'user', content }];
      const answered = await generate(model, asked, options, stop.signal, write);
      messages = [...asked, { role: 'assistant', content: answered.text }];
      process.stdout.write('\n');
      remark(measurements(answered));
    } catch (error) {
      // A question that is too long is not the end of the chat.
      const { code, message } = asRealmError(error);
      if (code !== 'context_length_exceeded') throw error;
      remark(`${code}: ${message}`);
    } finally {
      stop = undefined;
    }
  };
  for await (const input of inputs(terminal)) {
    switch (input.kind) {
      case 'message':
        await answer(input.text);
        break;
      case 'clear':
        messages = opening(options);
        break;
      case 'help':
        remark(chatHelp);
        break;
      case 'unknown':
        remark(`There is no command ${input.command}; /help says what there is.`);
        break;
      case 'end':
        terminal.close();
        return;
      default:
        input satisfies never;
    }
  }
}

/** What is typed, until the terminal is closed. Lines of a piece that was pasted wait for their turn. */
async function* inputs(terminal: Interface): AsyncGenerator<ChatInput> {
  const lines = new ChatLines();
  let isClosed = false;
  terminal.once('close', () => {
    isClosed = true;
  });
  const prompt = (): void => {
    terminal.setPrompt(lines.isOpen ? '. ' : '> ');
    if (!isClosed) terminal.prompt();
  };
  prompt();
  for await (const line of terminal) {
    const input = lines.push(line);
    if (input) yield input;
    prompt();
  }
}

function opening({ system }: RunOptions): ChatMessage[] {
  return system === undefined ? [] : [{ role: 'system', content: system }];
}

async function generate(
  model: LoadedModel,
  messages: readonly ChatMessage[],
  options: AskOptions,
  signal: AbortSignal,
  show: (text: string) => void,
): Promise<Answer> {
  const { tokens: prompt } = finish(encodePrompt(model, { messages }, { context: model.engine.info.context }));
  const { maxTokens, temperature, topP, seed, constraint } = options;
  const sampling = { temperature, topP, seed };
  const request = { id: 'run', tenant: 'local', prompt, maxTokens, sampling, constraint };
  const start = performance.now();
  let first: number | undefined;
  let text = '';
  for await (const event of model.generate(request, signal)) {
    if (event.kind === 'text') {
      first ??= performance.now();
      text += event.text;
      show(event.text);
    } else {
      const { promptTokens, completionTokens } = event.usage;
      const end = performance.now();
      const timeToFirstTokenMs = Math.round((first ?? end) - start);
      const speed = completionTokens > 1 ? ((completionTokens - 1) / (end - first!)) * 1000 : undefined;
      const tokensPerSecond = speed === undefined ? undefined : Number(speed.toFixed(2));
      return { text, reason: event.reason, promptTokens, completionTokens, timeToFirstTokenMs, tokensPerSecond };
    }
  }
  throw new RealmError('engine_failed', 'The engine ended without an answer.');
}

/** A terminal obeys control characters, and a model may be talked into writing them; a pipe gets the bytes as they are. */
function write(text: string): void {
  process.stdout.write(process.stdout.isTTY ? visible(text) : text);
}

function measurements(answer: Answer): string {
  const speed = answer.tokensPerSecond === undefined ? '' : `${answer.tokensPerSecond.toFixed(1)} tokens/s, `;
  const counts = `${answer.promptTokens} tokens in, ${answer.completionTokens} out`;
  const end =
    answer.reason === 'length' ? ', cut at the longest length' : answer.reason === 'cancelled' ? ', stopped' : '';
  return `[${speed}first token after ${answer.timeToFirstTokenMs} ms, ${counts}${end}]`;
}
