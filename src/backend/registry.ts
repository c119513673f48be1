import type { Backend } from './backend.ts';
import { createReferenceBackend } from './reference/reference.ts';
import { createWasmBackend } from './wasm/create.ts';
import { createWebGpuBackend } from './webgpu/backend.ts';

export interface BackendOptions {
  /** Compute threads. Default: the processors this process may use. */
  readonly threads?: number | undefined;
  /** Name of a kernel variant. Default: what the self-test chooses. */
  readonly variant?: string | undefined;
  /** Which GPU, the fastest is 0. */
  readonly gpu?: number | undefined;
}

/** Every backend that a model may run on. Adding one is adding a folder and a line here. */
export const backends = {
  reference: async () => createReferenceBackend(),
  wasm: createWasmBackend,
  webgpu: createWebGpuBackend,
} as const satisfies Record<string, (options: BackendOptions) => Promise<Backend>>;

export type BackendName = keyof typeof backends;

/** The one that a model runs on where nobody says. */
export const defaultBackend: BackendName = 'wasm';

export function createBackend(name: BackendName = defaultBackend, options: BackendOptions = {}): Promise<Backend> {
  const create: (options: BackendOptions) => Promise<Backend> = backends[name];
  return create(options);
}
