/** Keys for tests of the server, as `realm.yaml` names them. */
import { Directory } from '../../src/tenancy/directory.ts';
import type { Authenticate, AuthorizeAdmin, Tenant, TenantKeys } from '../../src/tenancy/tenants.ts';

export const keyAuthentication = (tenants: readonly TenantKeys[]): Authenticate =>
  new Directory({ tenants }).authenticate;

export const openAuthentication = (): Authenticate => new Directory().authenticate;

/** Whoever asks is this tenant. */
export const always =
  (tenant: Tenant): Authenticate =>
  () => ({ tenant, keyId: undefined, scopes: ['inference'] });

/** `open`: a server without tenants, on this machine. */
export const adminAuthorization = (adminKeys: readonly string[] | undefined, open: boolean): AuthorizeAdmin =>
  new Directory({ adminKeys, tenants: open ? undefined : [] }).authorizeAdmin;
