import { GuestError } from './abi.ts';
import type { GuestMemory } from './guest-memory.ts';

/** Addresses of three matrices of f32, row by row: a [m, k], b [k, n], out [m, n]. */
export interface Product {
  readonly a: number;
  readonly b: number;
  readonly out: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

/** Multiplications of one call: some 20 ms. A program that wants more calls again, and others have their turn between. */
export const MAX_PRODUCT = 1 << 24;

/** out = a · b, each sum in 64 bits from its first term on. 0, or an error code. */
export function multiply(memory: GuestMemory, product: Product, spend: (units: number) => void): number {
  const { m, k, n } = product;
  // Sides below 2^32: the product of three is exact enough to be compared.
  if (m * k * n > MAX_PRODUCT || Math.max(m * k, k * n, m * n) > MAX_PRODUCT) return GuestError.invalidArgument;
  const a = floatsAt(memory, product.a, m * k);
  const b = floatsAt(memory, product.b, k * n);
  const target = memory.bytes(product.out, m * n * 4);
  if (!a || !b || !target) return GuestError.invalidPointer;
  spend(m * k * n + m * n);
  const out = new Float32Array(m * n);
  const sums = new Float64Array(n);
  for (let row = 0; row < m; row++) {
    sums.fill(0);
    for (let i = 0; i < k; i++) {
      const factor = a[row * k + i]!;
      for (let column = 0; column < n; column++) sums[column] = sums[column]! + factor * b[i * n + column]!;
    }
    out.set(sums, row * n);
  }
  target.set(new Uint8Array(out.buffer));
  return 0;
}

/** A copy: the address need not be aligned, and `out` may lie over it. */
function floatsAt(memory: GuestMemory, address: number, count: number): Float32Array | undefined {
  const bytes = memory.bytes(address, count * 4);
  return bytes && new Float32Array(bytes.slice().buffer);
}
