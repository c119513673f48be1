import { GuestLoop } from './guest-loop.ts';

/** The Web Worker in which one run of a program lives. */
const scope = globalThis as unknown as {
  postMessage(message: unknown): void;
  onmessage: (event: { readonly data: Parameters<GuestLoop['receive']>[0] }) => void;
};
// Its fuel is counted, and it gives way: a run that is cancelled hears of it.
const loop = new GuestLoop(batch => scope.postMessage(batch), { shared: true });
scope.onmessage = ({ data }) => loop.receive(data);
