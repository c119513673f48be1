/** Timers of a page that is not seen wait a second and more; messages do not. */
const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];

port1.onmessage = () => waiting.shift()?.();

export function nextTurn(): Promise<void> {
  return new Promise(resolve => {
    waiting.push(resolve);
    port2.postMessage(undefined);
  });
}
