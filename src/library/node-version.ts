import { RealmError } from '../errors.ts';

/** The oldest Node that runs Realm, by its first number. */
export const oldestNode = 24;

export function isTooOld(version: string): boolean {
  return Number.parseInt(version, 10) < oldestNode;
}

/** Throws `engine_failed` on a Node that lacks what Realm needs: later the message would be of some missing function. */
export function requireNode(version = process.versions.node): void {
  if (!isTooOld(version)) return;
  throw new RealmError(
    'engine_failed',
    `Realm needs Node ${oldestNode} or newer, and this is ${version}; install a newer one`,
  );
}
