import { OutputParser } from './parser.ts';
import { awkwardCall, mixedCall, type ProbeCall, probeTools, textCalls } from './probes.ts';
import type { ToolCall, ToolFormat } from './types.ts';

const schemas = new Map(probeTools.map(({ function: { name, parameters } }) => [name, parameters]));

/** Whether everything that the template writes is read as what it was written from, and so would be written the same again. */
export function readsBack(format: ToolFormat, render: (calls: readonly ProbeCall[]) => string | undefined): boolean {
  const several = format.between === undefined ? [] : [textCalls(2, 2), textCalls(3, 1)];
  const probes = [textCalls(1, 0), textCalls(1, 1), textCalls(1, 2), ...several, [mixedCall], [awkwardCall]];
  return probes.every(calls => {
    const text = render(calls);
    const read = text !== undefined && callsIn(text, format);
    return read && JSON.stringify(read.map(plain)) === JSON.stringify(calls.map(plain));
  });
}

/** The calls of a whole answer; undefined where it has anything else. */
function callsIn(text: string, tools: ToolFormat): ToolCall[] | undefined {
  const parser = new OutputParser({ tools }, schemas);
  const calls: { name: string; arguments: string }[] = [];
  for (const event of [...parser.push(text), ...parser.end()]) {
    if (event.kind === 'call') calls.push({ name: event.name, arguments: '' });
    else if (event.kind === 'arguments') calls[event.index]!.arguments += event.text;
    else if (event.kind !== 'callEnd' && event.text.trim() !== '') return undefined;
  }
  return calls;
}

function plain({ name, arguments: given }: ToolCall | ProbeCall): unknown[] {
  return [name, typeof given === 'string' ? parsed(given) : given];
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
