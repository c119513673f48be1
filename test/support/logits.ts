import type { Model } from '../../src/model/types.ts';

/** A row of logits of the model's last batch. */
export async function logitsOf(model: Model, output: number): Promise<Float32Array> {
  const row = new Float32Array(model.vocabSize);
  await model.logits(Int32Array.of(output), row);
  return row;
}
