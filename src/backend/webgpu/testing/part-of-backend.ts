/** As much of a backend as the tests of one of its parts need. */
import type { Backend } from '../../backend.ts';
import { Context } from '../context.ts';
import type { GpuWorkBuffer } from '../handles.ts';

/** A backend that has buffers, runs, and what `part` makes of a context. */
export async function partOfBackend(
  part: (context: Context) => object,
): Promise<{ backend: Backend; context: Context }> {
  const context = await Context.open();
  const { work, recorder } = context;
  const backend = {
    name: 'webgpu',
    traits: { exact: true, kvLayout: 'webgpu' },
    buffer: (rows: number, columns: number) => context.buffer(rows, columns),
    vector: (values: Float32Array) => context.vector(values),
    write: ({ at, stride }: GpuWorkBuffer, row: number, values: Float32Array) => work.write(at + row * stride, values),
    run: () => recorder.run(),
    download: async ({ at, stride, columns }: GpuWorkBuffer, rows: Int32Array, into: Float32Array) => {
      const words = await wordsOf(
        context,
        [...rows].map(row => ({ at: at + row * stride, count: columns })),
      );
      into.set(new Float32Array(words.buffer));
    },
    close: async () => context.close(),
    ...part(context),
  };
  return { backend: backend as unknown as Backend, context };
}

/** Words of work memory, after what was submitted. */
export async function wordsOf(
  { readback, work }: Context,
  parts: readonly { readonly at: number; readonly count: number }[],
): Promise<Int32Array<ArrayBuffer>> {
  const bytes = await readback.read(
    parts.map(({ at, count }) => ({ buffer: work.buffer(), at: at * 4, bytes: count * 4 })),
  );
  return new Int32Array(bytes.slice().buffer);
}
