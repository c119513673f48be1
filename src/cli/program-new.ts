import { cp, mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { RealmError } from '../errors.ts';
import { commandName } from './command-name.ts';
import { print } from './output.ts';
import { validated } from './validated.ts';

const guest = fileURLToPath(new URL('../../guest/', import.meta.url));

/** Of each `guest/new` has what a program begins with, and `guest` the SDK. */
const languages = ['assembly', 'rust', 'c'];

interface NewOptions {
  readonly lang: string;
}

export function addNew(program: Command): void {
  program
    .command('new')
    .argument('<name>', 'of the folder that is made, and of the program')
    .description('Write a small program that works, with the SDK.')
    .addOption(new Option('--lang <language>', 'in which it is written').choices(languages).default('assembly'))
    .addHelpText('after', '\nExamples:\n  $ realm program new summary\n  $ realm program new summary --lang rust')
    .action(create);
}

async function create(folder: string, { lang }: NewOptions): Promise<void> {
  const { programName } = await import('../tenancy/program-ref.ts');
  const { z } = await import('zod');
  const name = basename(folder);
  await validated(z.object({ name: programName }), { name });
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new RealmError('usage', `${folder} is there already, and not empty.`);
  await cp(join(guest, 'new', lang), folder, { recursive: true });
  await cp(join(guest, lang), join(folder, 'realm'), { recursive: true, filter: isOfSdk });
  const commands = [
    `cd ${folder}`,
    ...(lang === 'assembly' ? ['npm install'] : []),
    `${commandName} program build`,
    `${commandName} program run ${name}.wasm --model smollm2-135m --prompt "Say hello"`,
  ];
  print(`${folder} has a program. Next:\n${commands.map(each => `  ${each}`).join('\n')}`);
}

/** Beside it lie samples, and what was built of it. */
const isOfSdk = (path: string): boolean => !/[/\\](?:default|shout)\.ts$|[/\\](?:target|Cargo\.lock)$/.test(path);
