/** What quantises the rows that the kernel before it writes. */
import type { Dispatch, Fusion, Groups } from '../dispatch.ts';
import type { Kernel } from '../kernel.ts';
import { quantizeKernels } from '../ops/quantize.ts';

interface ThenQuantize {
  readonly before: Kernel;
  readonly kernelOf: (quantize: Kernel, blockSize: number) => Kernel;
  /** The workgroups of both in one; undefined where these do not write whole rows. */
  readonly groups: (before: Dispatch, quantize: Dispatch) => Groups | undefined;
}

/** A fusion for each size of blocks. */
export const thenQuantize = ({ before, kernelOf, groups }: ThenQuantize): readonly Fusion[] =>
  [...quantizeKernels].map(([blockSize, quantize]): Fusion => {
    const kernel = kernelOf(quantize, blockSize);
    return {
      kernels: [before, quantize],
      fuse: parts => {
        const [{ params: from }, { params: to }] = parts as readonly [Dispatch, Dispatch];
        if (to.x !== from.out || to.stride !== from.outStride) return;
        const found = groups(parts[0]!, parts[1]!);
        return found && { kernel, groups: found, params: {}, buffers: [], parts };
      },
    };
  });
