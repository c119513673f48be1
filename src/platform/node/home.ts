/** Where Realm keeps what it has downloaded and learned: `REALM_HOME`, default `~/.realm`. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export function realmHome(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.REALM_HOME || join(homedir(), '.realm'));
}
