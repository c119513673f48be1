import type { Command } from 'commander';
import { RealmError } from '../errors.ts';
import type { OpenOperator } from './local-operator.ts';

/** On which store or server a command works. */
export interface PlaceOptions {
  readonly config?: string;
  readonly store?: string;
  readonly url?: string;
  readonly json?: boolean;
}

export function withPlace(command: Command): Command {
  return command
    .option('-c, --config <file>', 'realm.yaml of the server: its store, and its tenants')
    .option('--store <file|url>', 'the store itself: a SQLite file or a URL of PostgreSQL')
    .option('--url <url>', 'a server that runs, with an admin key in REALM_ADMIN_KEY')
    .option('--json', 'print JSON');
}

/** The help of a command ends with such a line. */
export function withExample(command: Command, example: string): Command {
  return command.addHelpText('after', `\nExample:\n  $ realm ${example}`);
}

export const isPlaced = ({ config, store, url }: PlaceOptions): boolean => (config ?? store ?? url) !== undefined;

/** Does something on the store, also while a server uses it, or asks a server to. */
export async function operate<T>(options: PlaceOptions, act: (operator: OpenOperator) => Promise<T>): Promise<T> {
  const operator = await open(options);
  try {
    return await act(operator);
  } finally {
    await operator.close();
  }
}

async function open({ config, store, url }: PlaceOptions): Promise<OpenOperator> {
  if (url !== undefined) {
    const { RemoteOperator } = await import('./remote-operator.ts');
    return new RemoteOperator(url, process.env.REALM_ADMIN_KEY);
  }
  if (config === undefined && store === undefined)
    throw new RealmError('usage', 'Whose? Say --config, --store or --url.');
  const { openLocal } = await import('./local-operator.ts');
  return openLocal(config, store);
}

export const list = (text: string): string[] => text.split(',').map(part => part.trim());
