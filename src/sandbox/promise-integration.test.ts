import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requirePromiseIntegration } from './promise-integration.ts';

test('a browser that cannot suspend a program is refused by what it lacks', () => {
  requirePromiseIntegration({ Suspending: class {}, promising: () => {} });
  assert.throws(() => requirePromiseIntegration({}), {
    code: 'kernel_unavailable',
    message: /no WebAssembly\.Suspending and WebAssembly\.promising\).*Chromium 137/,
  });
  assert.throws(() => requirePromiseIntegration({ Suspending: class {} }), { message: /no WebAssembly\.promising\)/ });
});
