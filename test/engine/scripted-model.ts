import assert from 'node:assert/strict';
import {
  done,
  type MaybePromise,
  type Preempt,
  pageTokens,
  type RunOutcome,
  type Segment,
} from '../../src/backend/backend.ts';
import { Samplers } from '../../src/backend/sampling/sample-rows.ts';
import { RealmError } from '../../src/errors.ts';
import type { GgufFile } from '../../src/gguf/types.ts';
import type { AdaptedSegment, Adapter, Batch, Model } from '../../src/model/types.ts';

export interface ScriptedOptions {
  readonly vocabSize?: number;
  readonly pages?: number;
  /** What is read comes back as a promise, as from a device. Default false. */
  readonly distant?: boolean;
  /** Slots: with some, it keeps a state for each sequence beside its pages. Default 0. */
  readonly slots?: number;
  readonly trainedContext?: number;
  readonly maxBatchTokens?: number;
  readonly maxOutputs?: number;
  readonly pooling?: Model['pooling'];
  /** It says that texts must be whole. Default false. */
  readonly encoder?: boolean;
  /** Share of the positions at which it says something else than it would: a draft model's errors. */
  readonly noise?: number;
}

/** What the scripted model takes for an adapter: it changes every token that goes in. */
export interface ScriptedAdapter extends Adapter {
  readonly salt: number;
}

/** From a prompt with this token on, logits are not numbers. */
export const poison = 1;

/** What the cache holds after a poisoned token. */
const poisoned = -1;

/**
 * A model without weights that needs its cache as a real one does: the value stored for a token depends on the value
 * before it, read through the block table, and logits depend on every page. A wrong page, a page overwritten too soon,
 * or a token left out gives other logits.
 */
export class ScriptedModel implements Model {
  readonly architecture = 'scripted';
  readonly width = 2;
  readonly layers = 1;
  readonly kvBytesPerToken = 4;
  readonly pageBytes = 4 * pageTokens;
  readonly slotBytes = 4;
  readonly kvLayout = 'scripted';
  readonly pooling: Model['pooling'];
  readonly encoder: boolean;
  readonly vocabSize: number;
  readonly trainedContext: number;
  readonly maxBatchTokens: number;
  readonly maxOutputs: number;
  readonly pages: number;
  readonly slots: number;
  readonly #kv: Int32Array; // [pages * pageTokens]
  /** Of a sequence in a slot the value of its last token: what stands in its last page, if nobody mixed them up. */
  readonly #slotValues: Int32Array; // [slots]
  readonly #noise: number;
  readonly #distant: boolean;
  #busy = false;
  #logits: Float32Array[] = [];
  #states: Float32Array[] = [];
  readonly #samplers = new Samplers();
  readonly #tokens: Int32Array; // [maxOutputs]
  /** Adapters in use. */
  readonly adapters = new Set<ScriptedAdapter>();
  /** Called before each batch; may throw. */
  beforeRun: (batch: Batch) => void | Promise<void> = () => {};
  /** Called before something is read from a distant one. */
  beforeRead: () => void = () => {};
  runs = 0;
  closed = false;

  constructor(options: ScriptedOptions = {}) {
    this.vocabSize = options.vocabSize ?? 32;
    this.trainedContext = options.trainedContext ?? 512;
    this.maxBatchTokens = options.maxBatchTokens ?? 256;
    this.maxOutputs = options.maxOutputs ?? 16;
    this.pages = options.pages ?? 64;
    this.slots = options.slots ?? 0;
    this.#tokens = new Int32Array(this.maxOutputs);
    this.pooling = options.pooling;
    this.encoder = options.encoder ?? false;
    this.#noise = options.noise ?? 0;
    this.#distant = options.distant ?? false;
    this.#kv = new Int32Array(this.pages * pageTokens);
    this.#slotValues = new Int32Array(this.slots).fill(-7);
  }

  async run(batch: Batch, preempt?: Preempt): Promise<RunOutcome> {
    this.#busy = true;
    try {
      await this.beforeRun(batch);
    } finally {
      this.#busy = false;
    }
    this.runs++;
    this.#check(batch);
    for (const segment of batch.segments) this.#store(segment, batch.ids);
    // A preempted step leaves the states as they were.
    if (preempt?.()) return { kind: 'preempted', fraction: 0.5 };
    for (const segment of batch.segments) this.#keep(segment);
    this.#states = batch.states ? [...batch.positions].map((_, row) => this.#state(batch, row)) : [];
    this.#logits = [...batch.outputs].map(row => {
      const segment = batch.segments.find(({ start, count }) => row >= start && row < start + count)!;
      return this.#row(segment, segment.position + row - segment.start);
    });
    const { rows = [], mask } = batch.sampling ?? {};
    this.#samplers.sample(this.#tokens, this.vocabSize, row => this.#logits[row]!, rows, mask);
    return done;
  }

  tokens(count: number): MaybePromise<Int32Array> {
    return this.#read(() => this.#tokens.subarray(0, count));
  }

  logits(outputs: Int32Array, into: Float32Array): MaybePromise<void> {
    return this.#read(() => outputs.forEach((output, i) => void into.set(this.#logits[output]!, i * this.vocabSize)));
  }

  states(rows: Int32Array, into: Float32Array): MaybePromise<void> {
    return this.#read(() => rows.forEach((row, i) => void into.set(this.#states[row]!, i * this.width)));
  }

  /** A device takes its time, in which the world goes on. */
  #read<T>(values: () => T): MaybePromise<T> {
    if (!this.#distant) return values();
    return (async () => {
      this.beforeRead();
      await null;
      return values();
    })();
  }

  /** The salt is in the metadata. */
  async loadAdapter({ metadata }: GgufFile): Promise<ScriptedAdapter> {
    const salt = metadata.get('salt');
    if (typeof salt !== 'number') throw new RealmError('adapter_invalid', 'no salt');
    const adapter = { salt, bytes: 4 };
    this.adapters.add(adapter);
    return adapter;
  }

  unloadAdapter(adapter: Adapter): void {
    assert.ok(this.adapters.delete(adapter as ScriptedAdapter), 'freed twice');
  }

  copyPages(pairs: Int32Array): void {
    assert.ok(!this.#busy, 'copied while a batch runs');
    for (const [from, to] of eachPair(pairs))
      this.#kv.copyWithin(to * pageTokens, from * pageTokens, (from + 1) * pageTokens);
  }

  copySlots(pairs: Int32Array): void {
    assert.ok(!this.#busy, 'copied while a batch runs');
    for (const [from, to] of eachPair(pairs)) this.#slotValues[to] = this.#slotValues[from]!;
  }

  readSlot(slot: number, target: Uint8Array): void {
    target.set(new Uint8Array(this.#slotValues.buffer, slot * this.slotBytes, this.slotBytes));
  }

  writeSlot(slot: number, source: Uint8Array): void {
    new Uint8Array(this.#slotValues.buffer, slot * this.slotBytes, this.slotBytes).set(source);
  }

  readPage(page: number, target: Uint8Array): void {
    assert.ok(!this.#busy, 'read while a batch runs');
    target.set(new Uint8Array(this.#kv.buffer, page * this.pageBytes, this.pageBytes));
  }

  writePage(page: number, source: Uint8Array): void {
    assert.ok(!this.#busy, 'written while a batch runs');
    new Uint8Array(this.#kv.buffer, page * this.pageBytes, this.pageBytes).set(source);
  }

  memory() {
    return { weights: 0, kvCache: this.#kv.byteLength, work: 0 };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #check({ tokens, segments, ids, positions, outputs }: Batch): void {
    assert.ok(tokens > 0, 'an empty batch');
    assert.ok(tokens <= this.maxBatchTokens && outputs.length <= this.maxOutputs);
    assert.equal(ids.length, tokens);
    assert.equal(positions.length, tokens);
    const written = new Set<number>();
    const slots = new Set(segments.flatMap(({ slot, nextSlot }) => [slot, nextSlot]));
    if (this.slots > 0) assert.equal(slots.size, 2 * segments.length, 'two states in one slot');
    let row = 0;
    for (const segment of segments) {
      assert.equal(segment.start, row);
      assert.ok(segment.pages.length * pageTokens >= segment.position + segment.count, 'pages missing');
      for (let i = 0; i < segment.count; i++) {
        assert.equal(positions[row + i], segment.position + i);
        written.add(slot(segment, segment.position + i));
      }
      this.#checkState(segment);
      row += segment.count;
      const adapter = segment.adapter as ScriptedAdapter | undefined;
      assert.ok(!adapter || this.adapters.has(adapter), 'an adapter that was freed');
    }
    assert.equal(row, tokens);
    assert.equal(written.size, tokens, 'two tokens in one place');
  }

  /** The state is the one behind the token before. */
  #checkState({ slot: number, nextSlot, pages, position, ...rest }: Segment): void {
    if (this.slots === 0) return assert.equal(number, undefined);
    for (const each of [number, nextSlot]) assert.ok(each !== undefined && each < this.slots, 'no slot');
    assert.ok(number !== undefined);
    if (position === 0) return;
    assert.equal(
      this.#slotValues[number],
      this.#kv[slot({ ...rest, pages, position }, position - 1)],
      'the wrong state',
    );
  }

  #keep(segment: Segment): void {
    if (this.slots > 0)
      this.#slotValues[segment.nextSlot!] = this.#kv[slot(segment, segment.position + segment.count - 1)]!;
  }

  #store(segment: AdaptedSegment, ids: Int32Array): void {
    const { salt = 0 } = (segment.adapter as ScriptedAdapter | undefined) ?? {};
    for (let i = 0; i < segment.count; i++) {
      const position = segment.position + i;
      const before = position === 0 ? 0 : this.#kv[slot(segment, position - 1)]!;
      this.#kv[slot(segment, position)] = chain(before, salted(ids[segment.start + i]!, salt));
    }
  }

  #state({ segments }: Batch, row: number): Float32Array {
    const segment = segments.find(({ start, count }) => row >= start && row < start + count)!;
    return stateOf(this.#kv[slot(segment, segment.position + row - segment.start)]!);
  }

  #row(segment: Segment, position: number): Float32Array {
    const ends = pageEnds(position).map(end => this.#kv[slot(segment, end)]!);
    if ((ends.at(-1)! % 1000) / 1000 < this.#noise) ends.push(1);
    return logitsOf(ends, this.vocabSize);
  }
}

/** The hidden state at a token, from what the cache holds for it. */
export function stateOf(value: number): Float32Array {
  if (value === poisoned) return Float32Array.of(Number.NaN, 0);
  return Float32Array.of((value % 1000) - 500, (value % 777) - 300);
}

/** What the model says after `tokens`, without pages or batches: the truth to compare with. */
export class Oracle {
  readonly #values: number[] = [];
  readonly #salt: number;

  /** `salt`: the adapter's. */
  constructor(salt = 0) {
    this.#salt = salt;
  }

  push(token: number): void {
    this.#values.push(chain(this.#values.at(-1) ?? 0, salted(token, this.#salt)));
  }

  /** Hidden states of all the tokens. */
  states(): Float32Array[] {
    return this.#values.map(stateOf);
  }

  logits(vocabSize: number): Float32Array {
    return logitsOf(
      pageEnds(this.#values.length - 1).map(end => this.#values[end]!),
      vocabSize,
    );
  }
}

/** What a token is to the model with an adapter. */
export function salted(token: number, salt: number): number {
  return token === poison ? poison : token + 64 * salt;
}

function slot({ pages }: Segment, position: number): number {
  return pages[Math.floor(position / pageTokens)]! * pageTokens + (position % pageTokens);
}

/** From and to, as copies are given. */
function eachPair(pairs: Int32Array): [from: number, to: number][] {
  return Array.from({ length: pairs.length / 2 }, (_, i) => [pairs[2 * i]!, pairs[2 * i + 1]!]);
}

function pageEnds(position: number): number[] {
  const full = Math.floor(position / pageTokens);
  return [...Array.from({ length: full }, (_, page) => page * pageTokens + pageTokens - 1), position];
}

function chain(before: number, token: number): number {
  return before === poisoned || token === poison ? poisoned : mix(before, token) & 0x7fffffff;
}

function logitsOf(values: readonly number[], vocabSize: number): Float32Array {
  const row = new Float32Array(vocabSize);
  // A poisoned sequence has no logits at all.
  if (values.includes(poisoned)) return row.fill(Number.NaN);
  const seed = values.reduce(mix, 7);
  for (let i = 0; i < vocabSize; i++) row[i] = ((mix(seed, i) >>> 8) / 2 ** 24) * 6;
  // The model itself never says the poison.
  row[poison] = -Infinity;
  return row;
}

function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
