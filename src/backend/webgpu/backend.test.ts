import { parity } from '../parity/parity.ts';
import { createWebGpuBackend } from './backend.ts';
import { gpuTypes } from './plain-format.ts';
import { selfTest } from './self-test.ts';

/** Held to the bits where the self-test proves them, as SwiftShader does. */
async function create() {
  const backend = await createWebGpuBackend();
  await selfTest(backend, ['common']);
  return backend;
}

parity('webgpu', create, { flushes: true, types: gpuTypes });
