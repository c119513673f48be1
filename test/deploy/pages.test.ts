/** Pages for operators name codes, commands, options, metrics and keys of the configuration that exist. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorCodes } from '../../src/errors.ts';

const read = (file: string) => readFileSync(file, 'utf8');
const commandLine = globSync('src/cli/*.ts').map(read).join('\n');
/** Only servers that share limits have the metric of it, which stands beside them. */
const metrics = read('docs/metrics.md') + read('docs/configuration.md');
const schema = read('src/tenancy/schema.ts');

for (const page of ['operations', 'troubleshooting', 'tuning']) {
  const text = read(`docs/${page}.md`);
  /** What stands as code, in lines and in blocks. */
  const code = [...text.matchAll(/```\w*\n([\s\S]*?)```|`([^`\n]+)`/g)].map(([, block, span]) => block ?? span ?? '');

  test(`commands and options in docs/${page}.md exist`, () => {
    for (const [, name = '', sub, rest = ''] of code
      .join('\n')
      .matchAll(/(?:^|[ (])realm ([a-z]+)(?: ([a-z]+))?([^\n|)]*)/gm)) {
      // Names of images, units and folders.
      if (/^(deploy|realm)$/.test(name)) continue;
      assert.ok(commandLine.includes(`command('${name}`), `realm ${name}`);
      if (['keys', 'tenants', 'models', 'audit'].includes(name))
        assert.ok(commandLine.includes(`'${sub}`), `realm ${name} ${sub}`);
      for (const [option] of rest.matchAll(/--[a-z-]+/g)) assert.ok(commandLine.includes(option), `${name} ${option}`);
    }
  });

  test(`metrics and keys in docs/${page}.md exist`, () => {
    for (const [name] of text.matchAll(/\b(?:realm|nodejs|process)_[a-z0-9_]+/g))
      assert.ok(metrics.includes(`\`${name}\``), name);
    for (const [, keys = ''] of code.join('\n').matchAll(/\bserver\.([a-z_.]+)\b/g))
      for (const key of keys.split('.')) assert.match(schema, RegExp(`\\b${key}:`), keys);
  });
}

test('docs/troubleshooting.md has at least thirty symptoms, each with a cause and a command, and codes that exist', () => {
  const rows = read('docs/troubleshooting.md')
    .split('\n')
    .filter(line => /^\| (?!symptom)/.test(line))
    .map(line => line.split('|').map(cell => cell.trim()));
  assert.ok(rows.length >= 30);
  for (const [, symptom = '', cause, command] of rows) {
    assert.ok(symptom && cause && command, symptom);
    for (const [, code = ''] of symptom.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)) assert.ok(code in errorCodes, code);
  }
});
