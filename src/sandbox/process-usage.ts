import { readFileSync } from 'node:fs';
import type { Usage } from './guest-host.ts';

/** Clock ticks of /proc a second: Linux has the same number on every machine (`man 5 proc`, USER_HZ). */
const TICKS_PER_SECOND = 100;

/** What a process has computed and holds; undefined when it is gone, or where there is no /proc. */
export function processUsage(pid: number): Usage | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold spaces; the third field follows it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const field = (index: number) => Number(fields[index]);
    const [userTicks, systemTicks, residentPages] = [field(11), field(12), field(21)] as const;
    return {
      cpuMs: ((userTicks + systemTicks) * 1000) / TICKS_PER_SECOND,
      residentBytes: residentPages * pageBytes(),
    };
  } catch {
    return undefined;
  }
}

let knownPageBytes: number | undefined;

/** Node does not tell the size of a page; this process's own resident memory, in bytes and in pages, does. */
function pageBytes(): number {
  if (knownPageBytes === undefined) {
    const pages = Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]);
    knownPageBytes = 2 ** Math.round(Math.log2(process.memoryUsage.rss() / pages));
  }
  return knownPageBytes;
}
