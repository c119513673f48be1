import { open } from 'node:fs/promises';
import { cpus } from 'node:os';
import type { MachineInfo } from '../platform.ts';

export async function machine(): Promise<MachineInfo> {
  const { cpu = cpus()[0]?.model ?? 'unknown', flags = '' } = await fromProc();
  const { platform, arch, versions } = process;
  const { node, v8 } = versions;
  return { cpu, flags, platform: `${platform} ${arch}`, node, v8 };
}

/** The first processor's lines: the whole file takes milliseconds for each of them. */
async function fromProc(): Promise<{ cpu?: string | undefined; flags?: string | undefined }> {
  try {
    const file = await open('/proc/cpuinfo');
    const { bytesRead, buffer } = await file.read(Buffer.alloc(8192), 0, 8192, 0).finally(() => file.close());
    const text = buffer.toString('latin1', 0, bytesRead);
    const line = (name: RegExp) => name.exec(text)?.[1];
    return { cpu: line(/^model name\s*: (.*)$/m), flags: line(/^(?:flags|Features)\s*: (.*)$/m) };
  } catch {
    return {};
  }
}
