import type { Engine } from '../engine/types.ts';

/** Throws the signal's reason as soon as it is aborted; an engine that opens all the same is closed. */
export async function openUnless(signal: AbortSignal | undefined, opening: Promise<Engine>): Promise<Engine> {
  if (!signal) return opening;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([opening, aborted.promise]);
  } catch (error) {
    void opening.then(engine => engine.close()).catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
