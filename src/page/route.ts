import { useEffect, useState } from 'preact/hooks';

/** Where the page stands: `#/tenants/acme` is ['tenants', 'acme']. */
export function parseRoute(hash: string): readonly string[] {
  const parts = hash.replace(/^#?\/?/, '').split('/');
  return parts.filter(part => part !== '').map(safeDecode);
}

export const linkTo = (...parts: string[]): string => `#/${parts.map(encodeURIComponent).join('/')}`;

function safeDecode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function useRoute(): readonly string[] {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const moved = () => setHash(location.hash);
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return parseRoute(hash);
}
