import type { ChatMessage, ChatTemplate } from '../tokenizer/types.ts';
import { answer, mixedCall, type ProbeCall, probeTools, textCalls, user } from './probes.ts';
import { readsBack } from './read-back.ts';
import { deriveReasoning } from './reasoning.ts';
import { commonEnd, commonStart, findRepeated } from './repeated.ts';
import { type Split, type SplitCall, split } from './split.ts';
import type { CallPart, TaggedArguments, ToolFormat } from './types.ts';
import { valuesOf } from './values.ts';

type History = 'object' | 'text';

/** Renders calls as the text that the model answers with. Throws what the template throws. */
export type RenderAnswer = (calls: readonly ProbeCall[], history: History) => string;

/** What the template writes where the model's answer stands, without thoughts. `ends`: the texts of tokens that end an answer. */
export function answerRenderer(template: ChatTemplate, ends: readonly string[]): RenderAnswer {
  const render = (...messages: ChatMessage[]) =>
    template.render(messages, { tools: probeTools, addGenerationPrompt: false });
  const prompt = template.render([user], { tools: probeTools });
  const plain = render(user, { role: 'assistant', content: 'zqcontent' });
  const close = deriveReasoning(template)?.close;
  return (calls, history) => {
    const text = render(user, answer(calls, history));
    const turn = behindPrompt(text.slice(commonStart(text, prompt), text.length - commonEnd(text, plain)), prompt);
    const stops = ends.map(end => turn.indexOf(end, turn.lastIndexOf('zq'))).filter(at => at >= 0);
    const whole = turn.slice(0, Math.min(turn.length, ...stops));
    return close !== undefined && whole.includes(close) ? whole.slice(whole.indexOf(close) + close.length) : whole;
  };
}

/** Without what the prompt has begun already; some templates write more behind the chat than the beginning of the answer. */
export function behindPrompt(turn: string, prompt: string): string {
  let length = Math.min(turn.length, 100);
  while (!prompt.endsWith(turn.slice(0, length))) length--;
  return turn.slice(length);
}

/** The template's way to write calls of tools, as far as the differences of its renderings tell it. */
export function deriveTools(render: RenderAnswer): ToolFormat | undefined {
  const [object, text] = (['object', 'text'] as const).map(
    history => (calls: readonly ProbeCall[]) => attempt(() => render(calls, history)),
  ) as [Render, Render];
  const shown = object(textCalls(1, 1));
  // Templates that want text cannot render an object, or write it as Python does.
  return shown === undefined || shown.includes("{'zqalpha'") ? derive(text, 'text') : derive(object, 'object');
}

type Render = (calls: readonly ProbeCall[]) => string | undefined;

function derive(render: Render, history: History): ToolFormat | undefined {
  const splitOf = (calls: readonly ProbeCall[]) => split(render(calls) ?? '', calls);
  const one = splitOf(textCalls(1, 2));
  if (!one) return undefined;
  const two = splitOf(textCalls(2, 2));
  for (const base of [undefined, 0, 1]) {
    const found = assemble(numbered(one, base), two && numbered(two, base), base, history, render);
    if (found && readsBack(found, render)) return found;
  }
  return undefined;
}

/** Stand for the number of a call, and for its name where that is written again. */
const INDEX = '\ue000';
const NAME = '\ue001';

/** The same with what is each call's own replaced before and between its fields: its number, if it counts from `base`, and its name. */
function numbered({ start, calls, between, end }: Split, base: number | undefined): Split {
  const replace = (text: string, call: number) => {
    const named = text.replaceAll(probeTools[call]?.function.name ?? '', NAME);
    if (base === undefined) return named;
    return named.replace(new RegExp(`(?<![A-Za-z0-9])${call + base}(?![A-Za-z0-9])`), INDEX);
  };
  return {
    start: replace(start, 0),
    calls: calls.map(({ fields, texts }, i) => ({ fields, texts: texts.map(text => replace(text, i)) })),
    between: between.map((text, i) => replace(text, i + 1)),
    end,
  };
}

function assemble(
  one: Split,
  two: Split | undefined,
  base: number | undefined,
  history: History,
  render: Render,
): ToolFormat | undefined {
  const call = one.calls[0];
  if (!call || (two && JSON.stringify(two.calls) !== JSON.stringify([call, call]))) return undefined;
  const afters = two ? [one.end, two.between[0] ?? '', two.end] : [one.end];
  const inner = call.fields.includes('arguments') ? jsonCall(call) : taggedCall(call, afters, render);
  if (!inner) return undefined;
  const [end = '', between, lastEnd] = afters.map(text => text.slice(inner.taken));
  if (lastEnd !== undefined && lastEnd !== end) return undefined;
  const {
    head,
    tail,
    between: gap,
  } = between === undefined
    ? { head: one.start, tail: end, between: undefined }
    : findRepeated([one.start], between, [end]);
  const parts = [...textParts(head, base), ...inner.parts(base), ...textParts(tail, base)];
  return spacedOutside({
    begin: one.start.slice(0, one.start.length - head.length),
    call: joined(parts),
    between: gap,
    end: end.slice(tail.length),
    history,
  });
}

/** White space around a call belongs to what stands between calls, and none stands around them all. */
function spacedOutside({ begin, call, between, end, history }: Assembled): ToolFormat {
  const first = call[0];
  const last = call.at(-1);
  const before = first?.kind === 'text' ? (/^\s*/.exec(first.text)?.[0] ?? '') : '';
  const behind = last?.kind === 'text' ? (/\s*$/.exec(last.text)?.[0] ?? '') : '';
  const parts = call.map((part, i): CallPart => {
    if (part.kind !== 'text') return part;
    const from = i === 0 ? before.length : 0;
    return {
      kind: 'text',
      text: part.text.slice(from, part.text.length - (i === call.length - 1 ? behind.length : 0)),
    };
  });
  return {
    begin: (begin + before).trimStart(),
    call: parts,
    ...(between !== undefined && { between: behind + between + before }),
    end: (behind + end).trimEnd(),
    history,
  };
}

type Assembled = Omit<ToolFormat, 'between'> & { readonly between: string | undefined };

interface InnerCall {
  /** From the first field to the last one. */
  parts(base: number | undefined): CallPart[];
  /** Characters behind the last field that are its own. */
  readonly taken: number;
}

function jsonCall({ fields, texts }: SplitCall): InnerCall {
  return {
    parts: base =>
      fields.flatMap((kind, i) => [...(i > 0 ? textParts(texts[i - 1] ?? '', base) : []), fieldPart(kind)]),
    taken: 0,
  };
}

function fieldPart(kind: string): CallPart {
  return kind === 'arguments' ? { kind, style: { kind: 'json' } } : ({ kind } as CallPart);
}

/** Arguments each for itself, at the end of the call. */
function taggedCall({ fields, texts }: SplitCall, afters: readonly string[], render: Render): InnerCall | undefined {
  const first = fields.indexOf('key');
  if (fields.slice(first).join() !== 'key,value,key,value') return undefined;
  const [lead = '', middle = '', gap = '', again = ''] = texts.slice(first - 1);
  if (middle !== again) return undefined;
  const { head, tail, between } = findRepeated([lead], gap, afters);
  const values = valuesOf({ middle, after: tail, next: between + head }, render([mixedCall]) ?? '');
  if (!values) return undefined;
  const style: TaggedArguments = { kind: 'tagged', before: head, between, ...values };
  const before = lead.slice(0, lead.length - head.length);
  return {
    parts: base => [
      ...fields
        .slice(0, first)
        .flatMap((kind, i) => [...(i > 0 ? textParts(texts[i - 1] ?? '', base) : []), fieldPart(kind)]),
      ...textParts(before, base),
      { kind: 'arguments', style },
    ],
    taken: tail.length,
  };
}

function textParts(text: string, base: number | undefined): CallPart[] {
  return text
    .split(new RegExp(`(${INDEX}|${NAME})`))
    .filter(part => part !== '')
    .map(part => {
      if (part === NAME) return { kind: 'name' };
      return part === INDEX && base !== undefined ? { kind: 'index', base } : { kind: 'text', text: part };
    });
}

function joined(parts: readonly CallPart[]): CallPart[] {
  const result: CallPart[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (part.kind === 'text' && last?.kind === 'text')
      result[result.length - 1] = { kind: 'text', text: last.text + part.text };
    else result.push(part);
  }
  return result;
}

function attempt(work: () => string): string | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
