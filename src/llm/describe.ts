import type { GgufFile, GgufValue, TensorInfo } from '../gguf/types.ts';
import { type MemoryNeed, memoryNeeded } from './memory.ts';

/** What is in a model file, as plain data. */
export interface ModelDescription {
  /** The file's parts: paths or URLs. */
  readonly file: readonly string[];
  /** Of GGUF. */
  readonly version: number;
  /** Of tensors in the file, in bytes. */
  readonly alignment: number;
  /** Bytes of all parts together. */
  readonly size: number;
  /** Weights in all tensors. */
  readonly parameters: number;
  /** The tensors by type, the largest first. */
  readonly types: readonly TypeSum[];
  /** What a context takes of the machine's memory, or why the file does not say. */
  readonly memory: MemoryNeed | { readonly unknown: string };
  readonly tensors: readonly TensorInfo[];
  /** 64-bit integers are numbers where they are safe integers, bigints otherwise. */
  readonly metadata: Readonly<Record<string, GgufValue>>;
}

/** All tensors of one type. */
export interface TypeSum {
  readonly type: string;
  /** Tensors. */
  readonly count: number;
  /** Weights in them. */
  readonly elements: number;
  readonly bytes: number;
}

/** `context`: tokens that the memory is for. Default: 4096, or what the model was trained for where that is less. */
export function describeModel(gguf: GgufFile, context?: number): ModelDescription {
  return {
    file: gguf.readers.map(reader => reader.name),
    version: gguf.version,
    alignment: gguf.alignment,
    size: gguf.size,
    parameters: parameters(gguf),
    metadata: Object.fromEntries(gguf.metadata),
    types: byType(gguf),
    tensors: [...gguf.tensors.values()],
    memory: memoryNeeded(gguf, context),
  };
}

function parameters(gguf: GgufFile): number {
  return [...gguf.tensors.values()].reduce((sum, tensor) => sum + elements(tensor), 0);
}

function elements(tensor: TensorInfo): number {
  return tensor.shape.reduce((product, length) => product * length, 1);
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
