/** Timers of a page that is not seen wait a second and more; messages do not. */
const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];

port1.onmessage = () => waiting.shift()?.();

export function later(work: () => void): void {
  waiting.push(work);
  port2.postMessage(undefined);
}

export function nextTurn(): Promise<void> {
  return new Promise(later);
}
