import type { Command } from 'commander';
import { operate, type PlaceOptions, withExample, withPlace } from './operator.ts';
import { wholeNumber } from './options.ts';
import { print, printJson, table } from './output.ts';

export function addAudit(realm: Command): void {
  const audit = realm
    .command('audit')
    .description('What operators did, hash-chained.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm audit list --config realm.yaml\n  $ realm audit verify --store realm.db',
    );
  const command = (name: string, description: string) =>
    withExample(withPlace(audit.command(name).description(description)), `audit ${name} --config realm.yaml`);
  command('list', 'List entries, the oldest first.')
    .option('--after <seq>', 'only those after this one', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('--limit <n>', 'most entries (default: 100)', wholeNumber(1, 1000))
    .action(listEntries);
  command('verify', 'Find entries that were changed, taken out or put in.').action(verify);
}

interface ListOptions extends PlaceOptions {
  readonly after?: number;
  readonly limit?: number;
}

function listEntries({ after = 0, limit = 100, ...options }: ListOptions): Promise<void> {
  return operate(options, async operator => {
    const entries = await operator.audit(after, limit);
    if (options.json) return printJson(entries);
    const rows = entries.map(({ seq, at, actor, action, target, detail }) => {
      return [`${seq}`, at, actor, action, target, JSON.stringify(detail)];
    });
    print(table([['SEQ', 'AT', 'ACTOR', 'ACTION', 'TARGET', 'DETAIL'], ...rows], [0]));
  });
}

function verify(options: PlaceOptions): Promise<void> {
  return operate(options, async operator => {
    const { entries, hash } = await operator.verifyAudit();
    if (options.json) printJson({ entries, hash });
    else print(`${entries} entries, all as they were written.${hash && ` The last one's hash: ${hash}`}`);
  });
}
