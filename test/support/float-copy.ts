import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { ByteWriter } from '../../scripts/synthetic/gguf-writer.ts';
import { openGguf } from '../../src/gguf/open.ts';
import type { GgufFile, TensorInfo } from '../../src/gguf/types.ts';
import { formats } from '../../src/quant/formats.ts';

const alignment = 32;

/**
 * Writes a copy of the model at `source` whose quantised matrices are F16: the same network for whoever wants to measure
 * an engine without the noise of 8-bit activations. The metadata is copied byte for byte.
 */
export async function writeFloatCopy(source: string, target: string): Promise<void> {
  const file = await openGguf(source);
  const out = openSync(target, 'w');
  try {
    writeSync(out, header(source, file));
    for (const tensor of file.tensors.values()) {
      const bytes = await content(file, tensor);
      writeSync(out, bytes);
      writeSync(out, new Uint8Array(padded(bytes.length) - bytes.length));
    }
  } finally {
    closeSync(out);
    await file.close();
  }
}

const padded = (length: number) => Math.ceil(length / alignment) * alignment;
const elements = (tensor: TensorInfo) => tensor.shape.reduce((product, size) => product * size, 1);
const isKept = (tensor: TensorInfo) => tensor.type === 'F32';

function header(source: string, file: GgufFile): Uint8Array {
  const tensors = [...file.tensors.values()];
  const out = new ByteWriter().bytes(beforeTensors(source, tensors[0].name));
  let offset = 0;
  for (const tensor of tensors) {
    out.string(tensor.name).u32(tensor.shape.length);
    for (const size of tensor.shape) out.u64(size);
    out.u32(isKept(tensor) ? formats.F32.id : formats.F16.id).u64(offset);
    offset += padded(elements(tensor) * (isKept(tensor) ? 4 : 2));
  }
  return out.pad(alignment).done();
}

/** The file up to its list of tensors, which starts with the first one's name. */
function beforeTensors(source: string, firstName: string): Uint8Array {
  const file = openSync(source, 'r');
  const bytes = Buffer.alloc(8 << 20);
  readSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  const at = bytes.indexOf(new ByteWriter().string(firstName).done());
  if (at < 0) throw new Error(`${source}: no tensor list in the first ${bytes.length} bytes`);
  return bytes.subarray(0, at);
}

async function content(file: GgufFile, tensor: TensorInfo): Promise<Uint8Array> {
  const bytes = await file.readers[tensor.file].read(tensor.offset, tensor.bytes);
  if (isKept(tensor)) return bytes;
  const values = new Float32Array(elements(tensor));
  formats[tensor.type].decode(bytes, values, values.length);
  return new Uint8Array(Float16Array.from(values).buffer);
}
