import { RealmError } from '../errors.ts';

/**
 * A program is suspended while it waits for its host: JavaScript Promise Integration
 * (https://github.com/WebAssembly/js-promise-integration), which not every browser has. Throws `kernel_unavailable`.
 */
export function requirePromiseIntegration(engine: object = WebAssembly): void {
  const missing = ['Suspending', 'promising'].filter(name => !(name in engine));
  if (missing.length === 0) return;
  const names = missing.map(name => `WebAssembly.${name}`).join(' and ');
  throw new RealmError(
    'kernel_unavailable',
    `this browser cannot suspend a program (it has no ${names}); take one with JavaScript Promise Integration, such as Chromium 137 or later`,
  );
}
