/** Reads a stream with `fetch` alone: server-sent events are lines that begin with `data:`, and `[DONE]` is the last. */
import { serve } from '../src/index.ts';

await using server = await serve({ server: { port: 0 } });

async function* events(response: Response) {
  let rest = '';
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === 'data: [DONE]') return;
      if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length)); // others are comments and blank lines
    }
  }
}

const body = { messages: [{ role: 'user', content: 'Name the capital city of France.' }], stream: true };
const response = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) });
for await (const { error, choices } of events(response)) {
  if (error) throw new Error(error.message); // what fails after the first token comes as an event
  process.stdout.write(choices[0]?.delta.content ?? '');
}
console.log();
