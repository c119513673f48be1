import type { Backend, Matrix, MatrixSource } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import { escapeText } from '../gguf/escape.ts';
import { readerOf } from '../gguf/reader-of.ts';
import type { GgufFile, TensorInfo } from '../gguf/types.ts';
import { formats } from '../quant/formats.ts';
import { type Linear, type RowRange, rowsOf } from './tensors.ts';
import type { Adapter } from './types.ts';

/** What an adapter adds to one matrix: b * (a * x), the adapter's scale being in b. Those of experts lie one below the other. */
export interface LowRank {
  /** [rank, columns]; for token embeddings [vocabSize, rank], a row for each token. */
  readonly a: Matrix;
  /** [rows, rank] */
  readonly b: Matrix;
  /** A power of two; what the file's rank lacks of it is filled with zeros, which change nothing. */
  readonly rank: number;
  /** The matrix's own: see {@link Linear}. */
  readonly reserve?: Linear['reserve'];
}

export interface LoadedAdapter extends Adapter {
  /** Each pair by the matrix that it adds to. */
  readonly pairs: ReadonlyMap<Matrix, LowRank>;
  readonly embeddings?: LowRank | undefined;
}

/** The parts of a model that an adapter can change. */
export interface Adaptable {
  readonly architecture: string;
  readonly linears: readonly Linear[];
  readonly embeddings: Matrix;
}

/** Ranks of real adapters are 4 to 512. */
const mostRank = 2048;
const leastRank = 8;

/** A tensor's two factors in the file. */
interface FilePair {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
  /** The rank that the file has. */
  readonly rank: number;
}

/**
 * Loads a GGUF file as llama.cpp's convert_lora_to_gguf.py writes it: for a tensor T of the model `T.lora_a` [columns, rank]
 * and `T.lora_b` [rank, rows]; T's product changes by alpha / rank * b * a. Weights become F32, whatever they were: they
 * are few. Throws `adapter_invalid` with what does not fit; what was loaded before is freed then.
 */
export async function loadAdapter(file: GgufFile, backend: Backend, model: Adaptable): Promise<LoadedAdapter> {
  const alpha = checkMetadata(file, model.architecture);
  const loaded: Matrix[] = [];
  const upload = async (source: MatrixSource) => {
    const matrix = await backend.matrix(source);
    loaded.push(matrix);
    return matrix;
  };
  const pairs = new Map<Matrix, LowRank>();
  let embeddings: LowRank | undefined;
  try {
    for (const [name, pair] of pairsOf(file)) {
      const loader = new PairLoader(file, name, pair, alpha, upload);
      if (name === model.embeddings.name) embeddings = await loader.embeddings(model.embeddings);
      else for (const [matrix, part] of await loader.linears(model.linears)) pairs.set(matrix, part);
    }
    await backend.loaded();
  } catch (error) {
    // What is on its way into a matrix must have arrived before that is freed.
    await backend.loaded().catch(() => {});
    for (const matrix of loaded) backend.free(matrix);
    throw error;
  }
  const bytes = loaded.reduce((sum, { rows, columns }) => sum + rows * columns * 4, 0);
  return { pairs, embeddings, bytes };
}

export function freeAdapter({ pairs, embeddings }: LoadedAdapter, backend: Backend): void {
  const all = embeddings ? [...pairs.values(), embeddings] : [...pairs.values()];
  for (const matrix of new Set(all.flatMap(({ a, b }) => [a, b]))) backend.free(matrix);
}

/** The scale's alpha; 0 means a scale of 1. */
function checkMetadata({ metadata }: GgufFile, architecture: string): number {
  const expect = (key: string, expected: string) => {
    const found = metadata.get(key);
    if (found === expected) return;
    const what = typeof found === 'string' ? `"${escapeText(found)}"` : 'missing';
    throw invalid(`${key} is ${what}, not "${expected}"`);
  };
  expect('general.type', 'adapter');
  expect('adapter.type', 'lora');
  expect('general.architecture', architecture);
  if (metadata.has('adapter.alora.invocation_tokens'))
    throw invalid('it is an activated LoRA, which starts in the middle of a text; that is not supported');
  const alpha = metadata.get('adapter.lora.alpha') ?? 0;
  if (typeof alpha !== 'number' || !Number.isFinite(alpha)) throw invalid('adapter.lora.alpha is no finite number');
  return alpha;
}

/** The pairs of factors by the name of the tensor that they change. */
function pairsOf({ tensors }: GgufFile): Map<string, FilePair> {
  const pairs = new Map<string, FilePair>();
  for (const name of tensors.keys()) {
    const base = /^(.*)\.lora_[ab]$/.exec(name)?.[1];
    if (base === undefined)
      throw invalid(`tensor ${escapeText(name)} is no factor of a matrix; only those are applied`);
    const [a, b] = [tensors.get(`${base}.lora_a`), tensors.get(`${base}.lora_b`)];
    if (!a || !b) throw invalid(`tensor ${escapeText(name)} has no ${a ? 'lora_b' : 'lora_a'} to it`);
    const [rank = 0] = b.shape;
    if (a.shape.length !== b.shape.length || (a.shape.length !== 2 && a.shape.length !== 3))
      throw invalid(`tensor ${escapeText(base)} has factors that are no matrices`);
    if (!(rank >= 1 && rank <= mostRank))
      throw invalid(`tensor ${escapeText(base)} has rank ${rank}; 1 to ${mostRank} are supported`);
    pairs.set(base, { a, b, rank });
  }
  if (pairs.size === 0) throw invalid('it changes no tensor');
  return pairs;
}

class PairLoader {
  readonly #file: GgufFile;
  readonly #name: string;
  readonly #pair: FilePair;
  readonly #scale: number;
  readonly #upload: (source: MatrixSource) => Promise<Matrix>;
  /** The rank that the backend sees. */
  readonly #rank: number;

  constructor(
    file: GgufFile,
    name: string,
    pair: FilePair,
    alpha: number,
    upload: (source: MatrixSource) => Promise<Matrix>,
  ) {
    this.#file = file;
    this.#name = name;
    this.#pair = pair;
    this.#scale = alpha === 0 ? 1 : alpha / pair.rank;
    this.#upload = upload;
    this.#rank = Math.max(leastRank, 2 ** Math.ceil(Math.log2(pair.rank)));
  }

  /** Loads the pair for the one matrix that is the tensor, or for each of those that are parts of it. */
  async linears(all: readonly Linear[]): Promise<[Matrix, LowRank][]> {
    const linears = all.filter(({ matrix }) => matrix.name === this.#name);
    const [first] = linears;
    if (!first) throw invalid(`the model has no matrix ${escapeText(this.#name)} that an adapter can change`);
    const { matrix, part, experts = 1 } = first;
    const { rank } = this.#pair;
    const each = first.experts === undefined ? [] : [experts];
    this.#expect(this.#pair.a, [matrix.columns, rank, ...each]);
    this.#expect(this.#pair.b, [rank, part?.of ?? matrix.rows / experts, ...each]);
    const factor = padded(await this.#values(this.#pair.a), { experts, from: rank, to: this.#rank }, matrix.columns);
    const a = await this.#upload(source(factor, experts * this.#rank, matrix.columns, matrix.columns));
    const b = await this.#values(this.#pair.b, this.#scale);
    const pairs: [Matrix, LowRank][] = [];
    for (const { matrix, part, reserve } of linears) {
      const rows = part ? { ...b, values: rowsOf(ofEach(part, experts), b.values, rank) } : b;
      const own = await this.#upload(source(rows, matrix.rows, rank, this.#rank));
      pairs.push([matrix, { a, b: own, rank: this.#rank, reserve }]);
    }
    return pairs;
  }

  /** Loads the pair for token embeddings. A token looks up its row of a, so the file's a is [rank, vocabSize] here. */
  async embeddings(table: Matrix): Promise<LowRank> {
    const { a, b, rank } = this.#pair;
    this.#expect(a, [rank, table.rows]);
    this.#expect(b, [rank, table.columns]);
    return {
      a: await this.#upload(source(await this.#values(a), table.rows, rank, this.#rank)),
      b: await this.#upload(source(await this.#values(b, this.#scale), table.columns, rank, this.#rank)),
      rank: this.#rank,
    };
  }

  async #values({ name, file, offset, bytes, type, shape }: TensorInfo, factor = 1): Promise<Factor> {
    const [columns = 0, ...rows] = shape;
    if (columns % formats[type].blockSize !== 0)
      throw invalid(`tensor ${escapeText(name)} has rows that are no whole blocks`);
    const values = new Float32Array(rows.reduce((product, size) => product * size, columns));
    formats[type].decode(await readerOf(this.#file, file).read(offset, bytes), values, values.length);
    const scaled = factor === 1 ? values : values.map(value => value * factor);
    if (!scaled.every(Number.isFinite)) throw invalid(`tensor ${escapeText(name)} holds an infinite value or NaN`);
    return { name, values: scaled };
  }

  #expect({ name, shape }: TensorInfo, expected: readonly number[]): void {
    if (shape.length === expected.length && shape.every((size, i) => size === expected[i])) return;
    const sizes = `[${shape.join(', ')}], not [${expected.join(', ')}]`;
    throw invalid(`tensor ${escapeText(name)} has shape ${sizes}; is it for another model?`);
  }
}

interface Factor {
  readonly name: string;
  readonly values: Float32Array;
}

/** Each expert's `from` rows, followed by zeros: `to` in all. */
function padded(
  { name, values }: Factor,
  { experts, from, to }: { experts: number; from: number; to: number },
  width: number,
): Factor {
  const out = new Float32Array(experts * to * width);
  for (let expert = 0; expert < experts; expert++)
    out.set(values.subarray(expert * from * width, (expert + 1) * from * width), expert * to * width);
  return { name, values: out };
}

/** A range of the rows of each expert. */
const ofEach = (part: NonNullable<Linear['part']>, experts: number): RowRange =>
  experts === 1 ? part : { first: part.first, count: part.count * experts, run: part.count, step: part.of };

/** Values with rows of `width`, as an F32 matrix of `rows` rows and `columns` columns; zeros where there are none. */
function source({ name, values }: Factor, rows: number, width: number, columns: number): MatrixSource {
  return {
    name,
    type: 'F32',
    rows,
    columns,
    async readRows(first, count, target) {
      const out = new Float32Array(count * columns);
      for (let row = 0; row < count; row++)
        out.set(values.subarray((first + row) * width, (first + row + 1) * width), row * columns);
      target.set(new Uint8Array(out.buffer));
    },
  };
}

function invalid(why: string): RealmError {
  return new RealmError('adapter_invalid', `the adapter cannot be used: ${why}`);
}
