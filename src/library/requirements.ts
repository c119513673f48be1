import { RealmError } from '../errors.ts';
import { features } from '../platform/browser/features.ts';

/** Throws `kernel_unavailable`, with what this browser lacks and what to do. */
export function requireBrowser(): void {
  if (!features().simd) {
    const message = 'this browser has no WebAssembly SIMD: use Chrome or Edge 119, Firefox 124, Safari 17.4 or newer';
    throw new RealmError('kernel_unavailable', message);
  }
}
