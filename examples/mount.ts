/** Puts Realm's API under a path of your own server: your routes, log and login stand before it. */
import { serve as listen } from '@hono/node-server';
import { Hono } from 'hono';
import { proxy } from 'hono/proxy';
import { serve } from '../src/index.ts';

const realm = await serve({ server: { port: 0 } });

const app = new Hono();
app.use('/ai/*', async (context, next) => {
  if (context.req.header('cookie') !== 'login=alice') return context.text('log in first', 401);
  await next();
});
app.all('/ai/*', ({ req }) => {
  const headers = { ...req.header(), host: undefined, cookie: undefined };
  return proxy(realm.url + req.path.slice('/ai'.length), { ...req, headers });
});
app.get('/', context => context.text('my own page'));

const server = listen({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, async ({ port }) => {
  const url = `http://127.0.0.1:${port}`;
  console.log(await (await fetch(url)).text());

  const request = { method: 'POST', body: JSON.stringify({ prompt: 'The capital of France is', max_tokens: 4 }) };
  const refused = await fetch(`${url}/ai/v1/completions`, request);
  console.log(refused.status, await refused.text());

  const response = await fetch(`${url}/ai/v1/completions`, { ...request, headers: { cookie: 'login=alice' } });
  console.log(response.status, (await response.json()).choices[0].text);
  server.close();
  await realm.close();
});
