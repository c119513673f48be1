import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Gives a process the lowest priority. Linux counts it by thread, and new threads take over their maker's. Since 6.6 a
 * thread that wakes waits for the slice of one with a low priority, unless that is idle by its policy: an engine's
 * threads, which meet at hundreds of barriers a step, lost a third of their speed to one endless guest without it
 * (sched(7), SCHED_IDLE). Where there is no chrt (util-linux) the low priority alone must do.
 */
export function lowerPriority(pid: number): void {
  const policy = spawn('chrt', ['--all-tasks', '--idle', '--pid', '0', String(pid)], { stdio: 'ignore' });
  policy.on('error', () => {});
  policy.unref();
  for (const thread of threadsOf(pid)) {
    try {
      setPriority(thread, constants.priority.PRIORITY_LOW);
    } catch {
      // The thread, or the process, has ended meanwhile.
    }
  }
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [pid];
  }
}
