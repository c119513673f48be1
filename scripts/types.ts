/**
 * Checks the types. A folder with a tsconfig.json of its own has looser rules than the rest; strictness belongs to a
 * program, and a program also checks what it imports. So each program runs, and answers for the files of its own folder.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { posix } from 'node:path';

const folders = globSync('**/tsconfig.json', {
  exclude: ['**/node_modules', 'guest/assembly', 'guest/new', 'dist', 'build'],
})
  .map(file => posix.dirname(file.replaceAll('\\', '/')))
  .sort();

/** The innermost of the folders that holds the file. */
const ownerOf = (file: string): string =>
  folders.findLast(folder => folder !== '.' && file.startsWith(`${folder}/`)) ?? '.';

let failed = false;
for (const folder of folders) {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['node_modules/.bin/tsc', '--noEmit', '--pretty', 'false', '-p', folder],
    { encoding: 'utf8' },
  );
  const lines = stdout.split('\n').filter(line => line !== '');
  let own = true;
  for (const line of lines) {
    const file = /^(\S[^(]*)\(\d+,\d+\): error /.exec(line)?.[1];
    // A line without a place is about the program itself, or goes on from the line before.
    if (file !== undefined) own = ownerOf(file) === folder;
    else if (/^error /.test(line)) own = true;
    if (!own) continue;
    console.error(line);
    failed = true;
  }
  if (status !== 0 && lines.length === 0) {
    console.error(`tsc failed in ${folder}: ${stderr}`);
    failed = true;
  }
}
process.exitCode = failed ? 1 : 0;
