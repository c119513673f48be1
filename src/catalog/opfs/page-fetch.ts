import { RealmError } from '../../errors.ts';

/**
 * `fetch`, but that a server that does not let this page read its answers is told from one that cannot be reached: browsers
 * say the same of both. Throws `download_failed`, which is not tried again.
 */
export const pageFetch: typeof fetch = async (url, init) => {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (init?.signal?.aborted || !(await answersAnybody(String(url)))) throw error;
    throw new RealmError(
      'download_failed',
      `${url}: the server does not let pages of ${location.origin} read it (CORS); have it answer with ` +
        'access-control-allow-origin, or put the file beside the page',
      { cause: error },
    );
  }
};

/** Whether another origin's server answers a request whose answer nobody may see. */
async function answersAnybody(url: string): Promise<boolean> {
  if (new URL(url, location.href).origin === location.origin) return false;
  return fetch(url, { method: 'HEAD', mode: 'no-cors', cache: 'no-store' }).then(
    () => true,
    () => false,
  );
}
