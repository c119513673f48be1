import type { Command } from 'commander';
import { escapeText } from '../gguf/escape.ts';
import type { GgufValue } from '../gguf/types.ts';
import type { ModelDescription } from '../llm/describe.ts';
import type { MemoryNeed } from '../llm/memory.ts';
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
  const { describeModel } = await import('../llm/describe.ts');
  const gguf = await openModelFile(file);
  try {
    const model = describeModel(gguf, options.context);
    const { memory } = model;
    if (options.json) return printJson(asJson(model));
    print(overview(model));
    print(`\nMetadata\n${metadataTable(model)}`);
    print(`\nTensors by type\n${typeTable(model)}`);
    if (options.tensors) print(`\nTensors\n${tensorTable(model)}`);
    if ('unknown' in memory) return print(`\nMemory: ${memory.unknown}`);
    print(`\nMemory at a context of ${memory.context} tokens\n${memoryTable(memory)}`);
  } finally {
    await gguf.close();
  }
}

function overview({ file, version, alignment, size, parameters }: ModelDescription): string {
  const parts = file.length > 1 ? `, ${file.length} parts` : '';
  const rows = [
    ['File', escapeText(file[0]!)],
    ['Format', `GGUF v${version}, alignment ${alignment}${parts}`],
    ['Size', `${formatBytes(size)} (${size} bytes)`],
    ['Parameters', String(parameters)],
  ];
  return table(rows);
}

function metadataTable({ metadata }: ModelDescription): string {
  return table(Object.entries(metadata).map(([key, value]) => [`  ${escapeText(key)}`, shown(value)]));
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

function typeTable({ types }: ModelDescription): string {
  const rows = types.map(sum => [
    `  ${sum.type}`,
    `${sum.count} tensors`,
    `${sum.elements} weights`,
    formatBytes(sum.bytes),
    `${((sum.bytes * 8) / Math.max(1, sum.elements)).toFixed(2)} bits each`,
  ]);
  return rows.length > 0 ? table(rows, [1, 2, 3, 4]) : '  none: a vocabulary only';
}

function tensorTable({ tensors }: ModelDescription): string {
  const rows = tensors.map(tensor => [
    `  ${escapeText(tensor.name)}`,
    tensor.type,
    `[${tensor.shape.join(', ')}]`,
    formatBytes(tensor.bytes),
  ]);
  return table(rows, [3]);
}

function memoryTable(memory: MemoryNeed): string {
  const rows = [
    ['  weights', formatBytes(memory.weights)],
    ['  key-value cache', formatBytes(memory.kvCache)],
    ['  together', formatBytes(memory.weights + memory.kvCache)],
  ];
  return table(rows, [1]);
}

function asJson({ metadata, ...rest }: ModelDescription) {
  return {
    ...rest,
    metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, jsonValue(value)])),
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
