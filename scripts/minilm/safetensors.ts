/** Reads safetensors: eight bytes with the length of a JSON header, the header, the tensors' bytes. */

/** Longer headers than this no model has. */
const mostHeader = 100 << 20;

export interface SafeTensor {
  /** The contiguous dimension last. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The F32 tensors of a file by their names; throws for one that does not hold what its header says. */
export function readSafetensors(bytes: Uint8Array<ArrayBuffer>): Map<string, SafeTensor> {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > Math.min(mostHeader, bytes.length - 8))
    throw new Error(`a header of ${length} bytes in ${bytes.length}`);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, Entry>;
  const data = bytes.subarray(8 + length);
  const tensors = new Map<string, SafeTensor>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header))
    if (dtype === 'F32') tensors.set(name, { shape, values: floats(name, data, shape, offsets) });
  return tensors;
}

interface Entry {
  readonly dtype?: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [start: number, end: number];
}

function floats(
  name: string,
  data: Uint8Array,
  shape: readonly number[],
  [start, end]: Entry['data_offsets'],
): Float32Array {
  const size = 4 * shape.reduce((product, each) => product * each, 1);
  if (end - start !== size || start < 0 || end > data.length)
    throw new Error(`${name} [${shape.join(', ')}] in bytes ${start} to ${end} of ${data.length}`);
  return new Float32Array(data.slice(start, end).buffer);
}
