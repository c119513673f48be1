import type { Step } from './decoder.ts';
import type { Loading } from './loading.ts';
import { normalise } from './norm.ts';

/** Types of tokens, such as those of a pair's two texts. */
const mostTypes = 1 << 10;

/**
 * Adds to the tokens' embeddings that of their type, which is the first one as in llama.cpp, and where the file has them those of
 * their positions; then a norm.
 */
export async function loadBertEntrance({ keys, config, tensors }: Loading): Promise<(step: Step) => void> {
  const { width, trainedContext } = config;
  const types = keys.meta.number('tokenizer.ggml.token_type_count', { min: 1, max: mostTypes, integer: true });
  const table = async (name: string, rows: number) =>
    tensors.has(`${name}.weight`) ? tensors.matrix(`${name}.weight`, rows, width) : undefined;
  const typeTable = await table('token_types', types);
  const positions = await table('position_embd', trainedContext);
  const norm = await tensors.norm('token_embd_norm', width);
  return step => {
    const { backend, work, batch } = step;
    const { hidden, normed } = work;
    if (typeTable) {
      backend.embed(normed, typeTable, new Int32Array(batch.tokens));
      backend.add(hidden, normed, batch.tokens);
    }
    if (positions) {
      backend.embed(normed, positions, batch.positions);
      backend.add(hidden, normed, batch.tokens);
    }
    normalise(step, step.work.hidden, step.work.hidden, norm, step.batch.tokens);
  };
}
