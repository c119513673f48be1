/**
 * Whether the processor has the dot-and-add instruction (AVX-VNNI, ARM's dot product), as far as the engine uses it. Where
 * it has not, two others do its work, and their 16-bit sums saturate on bytes beyond the seven bits that kernels keep to.
 */
import { assembleModule, Func, i32, i32x4, v128 } from './assembler.ts';

/** 2 · 255 · 127 as far as 16 bits reach, twice. */
const saturated = 2 * 32767;

export function fusesDots(): boolean {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const bytes = new Uint8Array(memory.buffer).fill(127, 0, 16).fill(255, 16, 32);
  try {
    const probe = new Func('probe', {});
    const [at, a, b, zero] = [0, 0, 16, 48].map(address => i32.const(address));
    probe.store(at!, i32x4.relaxedDotAdd(v128.load(a!), v128.load(b!), v128.load(zero!)), 32);
    const module = new WebAssembly.Module(assembleModule([probe], 'probe', false));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    (exports as { probe: () => void }).probe();
  } catch {
    return false; // The browser has no relaxed SIMD.
  }
  return new Int32Array(bytes.buffer)[8] !== saturated;
}
