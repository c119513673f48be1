import { freemem } from 'node:os';

/**
 * Bytes that this process may still take: what the machine has free, within its cgroup's limit where there is one. Of
 * the cgroup's own count most is often the page cache of the model's file, which the system gives back when it is asked.
 */
export function availableMemory(): number {
  const limit = process.constrainedMemory();
  // 0 where there is none; some systems say it with a number beyond any memory.
  const room = limit > 0 ? limit - process.memoryUsage.rss() : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(freemem(), room));
}
