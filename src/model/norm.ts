import type { Backend, Buffer, Vector } from '../backend/backend.ts';
import type { ModelConfig } from './config.ts';
import type { Loading } from './loading.ts';

/** Root mean square (RMSNorm, arXiv:1910.07467), or mean and variance (LayerNorm, arXiv:1607.06450). */
export type NormKind = 'rms' | 'layer';

/** A norm over rows: LayerNorm where it has a bias. */
export interface Norm {
  readonly weight: Vector;
  readonly bias?: Vector | undefined;
}

/** `<name>.weight` and, of LayerNorm, `<name>.bias`: zeros where the file has none. */
export async function loadNorm(
  { backend, tensors, config: { width } }: Pick<Loading, 'backend' | 'tensors' | 'config'>,
  name: string,
  kind: NormKind = 'rms',
): Promise<Norm> {
  const weight = await tensors.vector(`${name}.weight`, width);
  if (kind === 'rms') return { weight };
  return {
    weight,
    bias: (await tensors.maybeVector(`${name}.bias`, width)) ?? backend.vector(new Float32Array(width)),
  };
}

/** out = norm(x) */
export function normalise(
  { backend, config: { epsilon } }: { readonly backend: Backend; readonly config: ModelConfig },
  out: Buffer,
  x: Buffer,
  { weight, bias }: Norm,
  rows: number,
): void {
  if (bias) backend.layerNorm(out, x, weight, bias, epsilon, rows);
  else backend.rmsNorm(out, x, weight, epsilon, rows);
}
