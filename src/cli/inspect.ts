import type { Command } from 'commander';
import { escapeText } from '../gguf/escape.ts';
import type { GgufFile, GgufValue, TensorInfo } from '../gguf/types.ts';
import { context as contextOption } from './options.ts';
import { formatBytes, print, printJson, table } from './output.ts';

interface Options {
  readonly json?: boolean;
  readonly tensors?: boolean;
  readonly context?: number;
}

export function addInspect(realm: Command): void {
  realm
    .command('inspect')
    .argument('<file>', 'a GGUF file (the first of a split model), a catalog name or an http(s) URL')
    .description('Show what is in a model file, and the memory that it needs.')
    .option(
      '--context <tokens>',
      'context length that the memory is for (default: 4096, or what it was trained for)',
      contextOption,
    )
    .option('--tensors', 'list every tensor')
    .option('--json', 'print JSON, every tensor included')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm inspect model.gguf\n  $ realm inspect model.gguf --context 32768 --json',
    )
    .action(inspect);
}

async function inspect(file: string, options: Options): Promise<void> {
  const { openModelFile } = await import('./open-file.ts');
  const { memoryNeeded } = await import('../llm/memory.ts');
  const gguf = await openModelFile(file);
  try {
    const memory = memoryNeeded(gguf, options.context);
    if (options.json) return printJson(asJson(gguf, memory));
    print(overview(gguf));
    print(`\nMetadata\n${metadataTable(gguf)}`);
    print(`\nTensors by type\n${typeTable(gguf)}`);
    if (options.tensors) print(`\nTensors\n${tensorTable(gguf)}`);
    if ('unknown' in memory) return print(`\nMemory: ${memory.unknown}`);
    print(`\nMemory at a context of ${memory.context} tokens\n${memoryTable(memory)}`);
  } finally {
    await gguf.close();
  }
}

type Memory = ReturnType<typeof import('../llm/memory.ts').memoryNeeded>;

function overview(gguf: GgufFile): string {
  const parts = gguf.readers.length > 1 ? `, ${gguf.readers.length} parts` : '';
  const rows = [
    ['File', escapeText(gguf.readers[0]!.name)],
    ['Format', `GGUF v${gguf.version}, alignment ${gguf.alignment}${parts}`],
    ['Size', `${formatBytes(gguf.size)} (${gguf.size} bytes)`],
    ['Parameters', String(parameters(gguf))],
  ];
  return table(rows);
}

function parameters(gguf: GgufFile): number {
  return [...gguf.tensors.values()].reduce((sum, tensor) => sum + elements(tensor), 0);
}

function elements(tensor: TensorInfo): number {
  return tensor.shape.reduce((product, length) => product * length, 1);
}

function metadataTable(gguf: GgufFile): string {
  return table([...gguf.metadata].map(([key, value]) => [`  ${escapeText(key)}`, shown(value)]));
}

/** A value on one line: long arrays show their length and beginning. */
function shown(value: GgufValue): string {
  if (typeof value === 'string') return escapeText(value);
  if (typeof value !== 'object') return String(value);
  const first = Array.from(value.slice(0, 6) as ArrayLike<GgufValue>, item =>
    typeof item === 'string' ? JSON.stringify(escapeText(item)) : shown(item),
  );
  return `[${value.length}] ${first.join(', ')}${value.length > first.length ? ', …' : ''}`;
}

interface TypeSum {
  readonly type: string;
  readonly count: number;
  readonly elements: number;
  readonly bytes: number;
}

function byType(gguf: GgufFile): TypeSum[] {
  const groups = Map.groupBy(gguf.tensors.values(), tensor => tensor.type);
  const sums = [...groups].map(([type, tensors]) => ({
    type,
    count: tensors.length,
    elements: tensors.reduce((sum, tensor) => sum + elements(tensor), 0),
    bytes: tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
  }));
  return sums.sort((a, b) => b.bytes - a.bytes);
}

function typeTable(gguf: GgufFile): string {
  const rows = byType(gguf).map(sum => [
    `  ${sum.type}`,
    `${sum.count} tensors`,
    `${sum.elements} weights`,
    formatBytes(sum.bytes),
    `${((sum.bytes * 8) / Math.max(1, sum.elements)).toFixed(2)} bits each`,
  ]);
  return rows.length > 0 ? table(rows, [1, 2, 3, 4]) : '  none: a vocabulary only';
}

function tensorTable(gguf: GgufFile): string {
  const rows = [...gguf.tensors.values()].map(tensor => [
    `  ${escapeText(tensor.name)}`,
    tensor.type,
    `[${tensor.shape.join(', ')}]`,
    formatBytes(tensor.bytes),
  ]);
  return table(rows, [3]);
}

function memoryTable(memory: Exclude<Memory, { unknown: string }>): string {
  const rows = [
    ['  weights', formatBytes(memory.weights)],
    ['  key-value cache', formatBytes(memory.kvCache)],
    ['  together', formatBytes(memory.weights + memory.kvCache)],
  ];
  return table(rows, [1]);
}

function asJson(gguf: GgufFile, memory: Memory) {
  return {
    file: gguf.readers.map(reader => reader.name),
    version: gguf.version,
    alignment: gguf.alignment,
    size: gguf.size,
    parameters: parameters(gguf),
    metadata: Object.fromEntries([...gguf.metadata].map(([key, value]) => [key, jsonValue(value)])),
    types: byType(gguf),
    tensors: [...gguf.tensors.values()],
    memory,
  };
}

/** Longer arrays (vocabularies) are given as their length and beginning. */
const wholeArray = 64;

/** 64-bit integers beyond JSON's exact range are strings. */
function jsonValue(value: GgufValue): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object') return value;
  const items = Array.from(value.slice(0, wholeArray) as ArrayLike<GgufValue>, jsonValue);
  return value.length > wholeArray ? { length: value.length, first: items } : items;
}
