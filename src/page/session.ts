import { createContext } from 'preact';
import { useContext, useMemo } from 'preact/hooks';
import { type AdminApi, adminApi } from './api/admin.ts';
import { type Client, createClient } from './api/client.ts';

/** Keys live as long as the page: they are written nowhere. */
export interface Keys {
  readonly tenant: string;
  readonly admin: string;
}

export const noKeys: Keys = { tenant: '', admin: '' };

export interface Session {
  readonly keys: Keys;
  setKeys(keys: Keys): void;
  /** Shows where keys are typed. */
  askForKeys(): void;
}

export const SessionContext = createContext<Session>({ keys: noKeys, setKeys() {}, askForKeys() {} });

export const useSession = (): Session => useContext(SessionContext);

/** Asks as the tenant whose key was typed. */
export function useClient(): Client {
  const { tenant } = useSession().keys;
  return useMemo(() => createClient(tenant), [tenant]);
}

/** Asks as the operator. */
export function useAdmin(): AdminApi {
  const { admin } = useSession().keys;
  return useMemo(() => adminApi(createClient(admin)), [admin]);
}
