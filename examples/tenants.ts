/** A server for two tenants, each with a key of its own. The configuration holds only the keys' hashes. */
import { createHash } from 'node:crypto';
import { serve } from '../src/index.ts';

// `realm keys create --tenant acme` makes a key that nobody can guess, and its hash.
const keys = { acme: 'a-key-for-acme', globex: 'a-key-for-globex' };
const hash = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`;

await using server = await serve({
  server: { port: 0 },
  models: [{ id: 'small', catalog: 'smollm2-135m' }],
  tenants: [
    { id: 'acme', keys: [hash(keys.acme)], weight: 2 }, // twice globex's share while both want the model
    { id: 'globex', keys: [hash(keys.globex)], max_queued: 10 },
  ],
});

async function ask(key: string) {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'small', messages: [{ role: 'user', content: 'What is the capital of France?' }] }),
  });
  const { choices, error } = await response.json();
  return `${response.status} ${choices?.[0].message.content ?? error.code}`;
}

console.log('acme:     ', await ask(keys.acme));
console.log('globex:   ', await ask(keys.globex));
console.log('wrong key:', await ask('a-guess'));
