import type { Buffer, StateShape } from '../backend/backend.ts';
import type { ModelConfig } from './config.ts';
import { readTaps } from './convolution.ts';
import type { LoadPart } from './hybrid.ts';
import type { Keys } from './keys.ts';
import { addProduct } from './layers.ts';
import type { Loading } from './loading.ts';
import { project } from './project.ts';

const tapsKey = 'shortconv.l_cache';

/** What a layer keeps: the inputs of the tokens before. */
export const convolutionState = (keys: Keys, { width }: ModelConfig): StateShape => ({
  stateSize: (readTaps(keys, tapsKey) - 1) * width,
});

/** The short convolutions of LFM2: out(c * convolution(b * x)), with b, c and x from one projection. */
export function shortConvolution({ backend, keys, config: { width }, options, tensors }: Loading): LoadPart {
  const taps = readTaps(keys, tapsKey);
  const [b, c, x] = [0, 1, 2].map(() => backend.buffer(options.maxBatchTokens, width)) as [Buffer, Buffer, Buffer];
  return async prefix => {
    const part = (i: number) =>
      tensors.linear(`${prefix}.shortconv.in_proj`, 3 * width, width, { first: i * width, count: width });
    const parts = { b: await part(0), c: await part(1), x: await part(2) };
    const kernel = await tensors.kernel(`${prefix}.shortconv.conv.weight`, taps, width);
    const output = await tensors.linear(`${prefix}.shortconv.out_proj`, width, width);
    return (step, layer) => {
      const { work, cache, batch } = step;
      const products = [
        { out: b, ...parts.b },
        { out: c, ...parts.c },
        { out: x, ...parts.x },
      ];
      project(step, products, work.normed);
      backend.gate(b, b, x, 'linear', batch.tokens);
      backend.convolve(x, b, kernel, cache, layer, batch, { taps });
      backend.gate(c, c, x, 'linear', batch.tokens);
      addProduct(step, output, c);
    };
  };
}
