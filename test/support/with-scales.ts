import type { GgufModel, TensorPlan } from '../../scripts/synthetic/gguf-writer.ts';

/** With a scale beside each matrix of the layers, as NVFP4 files have; experts have one each. */
export function withScales(model: GgufModel): GgufModel {
  const matrices = model.tensors.filter(({ name, shape }) => /^blk.*weight$/.test(name) && shape.length > 1);
  const scales = matrices.map(({ name, shape }): TensorPlan => {
    const values = Float32Array.from({ length: shape[2] ?? 1 }, (_, i) => 0.7 + 0.05 * i);
    const bytes = new Uint8Array(values.buffer);
    return { name: name.replace(/weight$/, 'scale'), shape: [values.length], type: 'F32', bytes: () => [bytes] };
  });
  return { ...model, tensors: [...model.tensors, ...scales] };
}
