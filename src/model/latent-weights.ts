import type { Matrix, MatrixSource } from '../backend/backend.ts';
import type { LatentSizes } from './latent-sizes.ts';
import type { Loading } from './loading.ts';

interface Absorbed {
  readonly absorbedKey: Matrix;
  readonly absorbedValue: Matrix;
}

/** What makes keys and values of a latent, a matrix for each head. */
export async function loadAbsorbed(loading: Loading, prefix: string, sizes: LatentSizes): Promise<Absorbed> {
  const { tensors, config } = loading;
  const { latent, plain, value } = sizes;
  if (!tensors.has(`${prefix}.attn_k_b.weight`) && tensors.has(`${prefix}.attn_kv_b.weight`))
    return loadFused(loading, `${prefix}.attn_kv_b.weight`, sizes);
  const parts = (name: string, rows: number, columns: number) =>
    tensors.experts(`${prefix}.${name}.weight`, { experts: config.heads, rows }, columns);
  return {
    absorbedKey: await parts('attn_k_b', latent, plain),
    absorbedValue: await parts('attn_v_b', value, latent),
  };
}

/** Old files have each head's rows of both in one matrix, and keys' the other way round. */
async function loadFused({ backend, tensors, config }: Loading, name: string, sizes: LatentSizes): Promise<Absorbed> {
  const { latent, plain, value } = sizes;
  const [rows, step] = [config.heads * (plain + value), plain + value];
  const values = await tensors.table(name, rows, latent);
  const range = { first: plain, count: config.heads * value, run: value, step };
  return {
    absorbedKey: await backend.matrix(turned(name, values, sizes, config.heads)),
    absorbedValue: await tensors.matrix(name, rows, latent, range),
  };
}

/** Each head's first rows, its keys', with rows and columns exchanged. values: [heads * (plain + value), latent] */
function turned(
  name: string,
  values: Float32Array,
  { latent, plain, value }: LatentSizes,
  heads: number,
): MatrixSource {
  return {
    ...{ name, type: 'F16', rows: heads * latent, columns: plain },
    async readRows(first, count, target) {
      const halves = new Float16Array(count * plain);
      for (let row = first; row < first + count; row++) {
        const [head, dimension] = [Math.floor(row / latent), row % latent];
        for (let i = 0; i < plain; i++) {
          halves[(row - first) * plain + i] = values[(head * (plain + value) + i) * latent + dimension]!;
        }
      }
      target.set(new Uint8Array(halves.buffer));
    },
  };
}
