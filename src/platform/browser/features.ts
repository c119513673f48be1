/** What this browser has, looked at and not guessed from its name. */
export interface BrowserFeatures {
  /** WebAssembly with vectors of 128 bits, which every kernel needs. */
  readonly simd: boolean;
  /** With its products of bytes, which are twice as fast. */
  readonly relaxedSimd: boolean;
  /** Threads may share memory: the page is cross-origin isolated. */
  readonly sharedMemory: boolean;
  /** Programs may wait for promises (JSPI). */
  readonly suspending: boolean;
  /** A page's own thread can wait for another without standing still. */
  readonly waitAsync: boolean;
}

/** A module of one function that returns a vector; `body` is its code. */
const vectorModule = (...body: readonly number[]): Uint8Array<ArrayBuffer> => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const signature = [1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0];
  return Uint8Array.of(...header, ...signature, 10, body.length + 4, 1, body.length + 2, 0, ...body, 0x0b);
};
const constant = (value: number) => [0x41, value, 0xfd, 0x0f];
const simdModule = vectorModule(...constant(0), 0xfd, 0x62); // i8x16.popcnt
const relaxedModule = vectorModule(...constant(1), ...constant(2), 0xfd, 0x80, 2); // i8x16.relaxed_swizzle

const validates = (module: Uint8Array<ArrayBuffer>): boolean =>
  typeof WebAssembly === 'object' && WebAssembly.validate(module);

export const sharesMemory: boolean = globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === 'function';

/** A page's own thread may not wait, so it cannot be one of several. */
export const mayWait: boolean = 'WorkerGlobalScope' in globalThis && typeof Worker === 'function';

export function features(): BrowserFeatures {
  return {
    simd: validates(simdModule),
    relaxedSimd: validates(relaxedModule),
    sharedMemory: sharesMemory,
    suspending: typeof WebAssembly === 'object' && 'Suspending' in WebAssembly,
    waitAsync: 'waitAsync' in Atomics,
  };
}
