/**
 * A small assembler for WebAssembly: expressions are typed byte strings (instructions.ts), a {@link Func} collects statements,
 * and {@link assembleModule} makes the binary. It knows just what the kernels use: i32, f32 and v128 arithmetic, relaxed
 * SIMD, one memory, locals and structured loops. https://webassembly.github.io/spec/core/binary/
 */
import {
  type Expr,
  type F32,
  type I32,
  i32,
  type Local,
  memoryArgument,
  simd,
  typeCodes,
  unsigned,
  type V128,
  type ValueType,
} from './instructions.ts';

export * from './instructions.ts';

/** A function under construction: parameters, locals and statements in order. */
export class Func<P extends Record<string, ValueType> = Record<string, ValueType>> {
  readonly name: string;
  readonly params: { readonly [K in keyof P]: Local<P[K]> };
  private readonly types: ValueType[] = [];
  private readonly parameterCount: number;
  private readonly body: number[] = [];

  constructor(name: string, params: P) {
    this.name = name;
    this.params = Object.fromEntries(
      Object.entries(params).map(([key, type]) => [key, this.local(type)]),
    ) as typeof this.params;
    this.parameterCount = this.types.length;
  }

  local<T extends ValueType>(type: T, value?: Expr<T>): Local<T> {
    const index = this.types.push(type) - 1;
    const local = { type, index, code: [0x20, ...unsigned(index)] };
    if (value) this.set(local, value);
    return local;
  }

  set<T extends ValueType>(local: Local<T>, value: Expr<T>): void {
    this.body.push(...value.code, 0x21, ...unsigned(local.index));
  }

  /** local += bytes; the usual way to walk a pointer. */
  advance(local: Local<'i32'>, by: I32 | number): void {
    this.set(local, i32.add(local, typeof by === 'number' ? i32.const(by) : by));
  }

  store(address: I32, value: V128, offset = 0): void {
    this.body.push(...address.code, ...value.code, ...simd(0x0b), ...memoryArgument(offset));
  }

  /** The low 8 bytes of a vector. */
  store64(address: I32, value: V128, offset = 0): void {
    this.body.push(...address.code, ...value.code, ...simd(0x5b), ...memoryArgument(offset), 0);
  }

  store32(address: I32, value: I32, offset = 0): void {
    this.body.push(...address.code, ...value.code, 0x36, ...memoryArgument(offset));
  }

  store8(address: I32, value: I32, offset = 0): void {
    this.body.push(...address.code, ...value.code, 0x3a, ...memoryArgument(offset));
  }

  store16(address: I32, value: I32, offset = 0): void {
    this.body.push(...address.code, ...value.code, 0x3b, ...memoryArgument(offset));
  }

  storeF32(address: I32, value: F32, offset = 0): void {
    this.body.push(...address.code, ...value.code, 0x38, ...memoryArgument(offset));
  }

  /** Runs the body at least once, again while the condition holds. */
  doWhile(body: () => void, condition: () => I32): void {
    this.body.push(0x03, 0x40);
    body();
    this.body.push(...condition().code, 0x0d, 0, 0x0b);
  }

  /** for (counter = 0; counter < count; counter += step) body, skipped when count is 0. */
  for(count: I32, body: (counter: Local<'i32'>) => void, step = 1): void {
    const counter = this.local('i32', i32.const(0));
    this.if(i32.ltU(counter, count), () =>
      this.doWhile(
        () => {
          body(counter);
          this.advance(counter, step);
        },
        () => i32.ltU(counter, count),
      ),
    );
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.body.push(...condition.code, 0x04, 0x40);
    then();
    if (otherwise) {
      this.body.push(0x05);
      otherwise();
    }
    this.body.push(0x0b);
  }

  signature(): ValueType[] {
    return this.types.slice(0, this.parameterCount);
  }

  /** The function's entry in the code section. */
  assemble(): number[] {
    const locals = this.types.slice(this.parameterCount).flatMap(type => [1, typeCodes[type]]);
    const body = [...unsigned(this.types.length - this.parameterCount), ...locals, ...this.body, 0x0b];
    return [...unsigned(body.length), ...body];
  }
}

const text = (value: string): number[] => {
  const bytes = new TextEncoder().encode(value);
  return [...unsigned(bytes.length), ...bytes];
};

const section = (id: number, entries: number[][]): number[] => {
  const body = [...unsigned(entries.length), ...entries.flat()];
  return [id, ...unsigned(body.length), ...body];
};

function customSection(name: string, content: readonly number[]): number[] {
  const body = [...text(name), ...content];
  return [0, ...unsigned(body.length), ...body];
}

/** A module that imports the memory env.memory, which threads share or not, and exports every function by its name. */
// biome-ignore lint/suspicious/noExplicitAny: functions of any parameters
export function assembleModule(functions: readonly Func<any>[], name: string, shared = true): Uint8Array<ArrayBuffer> {
  const limits = [shared ? 3 : 1, 1, ...unsigned(65536)];
  const types = functions.map(f => [0x60, f.signature().length, ...f.signature().map(type => typeCodes[type]), 0]);
  const memory = [...text('env'), ...text('memory'), 2, ...limits];
  const exports = functions.map((f, index) => [...text(f.name), 0, ...unsigned(index)]);
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, [memory]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(7, exports),
    ...section(
      10,
      functions.map(f => f.assemble()),
    ),
    // Engines keep compiled code by a module's bytes: a name of its own keeps modules apart that differ in flags only.
    ...customSection('realm', text(name)),
  ]);
}
