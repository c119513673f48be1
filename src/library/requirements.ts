import { RealmError } from '../errors.ts';
import { features } from '../platform/browser/features.ts';

/** Throws `kernel_unavailable`, with what this browser lacks and what to do. */
export function requireBrowser(): void {
  const needed: Readonly<Record<string, boolean>> = {
    'WebAssembly SIMD': features().simd,
    'AbortSignal.any': 'any' in AbortSignal,
    'RegExp.escape': 'escape' in RegExp,
    'Map.groupBy': 'groupBy' in Map,
    'iterator helpers': typeof Iterator === 'function' && 'reduce' in Iterator.prototype,
  };
  const missing = Object.keys(needed).filter(name => !needed[name]);
  if (missing.length === 0) return;
  const remedy = 'use Chrome or Edge 136, Firefox 134, Safari 18.4 or newer';
  throw new RealmError('kernel_unavailable', `this browser has no ${missing.join(', no ')}: ${remedy}`);
}
