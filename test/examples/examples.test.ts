/** Every example runs to its end, in a process of its own, and prints what it promises. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';

interface Expected {
  /** What its output holds. */
  readonly prints: RegExp;
  /** What is typed. */
  readonly input?: string;
}

const expected: Readonly<Record<string, Expected>> = {
  abort: { prints: /ended after \d+ tokens: request_cancelled\n[\s\S]*left after the first piece: "/ },
  adapter: { prints: /the model: .*Paris.*\nwith the adapter: (?!.*Paris)/ },
  agent: { prints: /1\. \w+: kept[\s\S]*done: dog, cat, (\w+, ){5}\w+\n/ },
  batch: { prints: /France: .*Paris[\s\S]*Egypt: [\s\S]*\d+ tokens in [\d.]+ s/ },
  bench: { prints: /1 at once: [\d.]+ tokens\/s[\s\S]*8 at once: [\d.]+ tokens\/s/ },
  best: { prints: /\w+[\s\S]*\n\d+ tokens of prompt, \d+ of eight answers, [1-9]\d+ fuel\n/ },
  chat: { prints: /Paris[\s\S]*ended with stop: \d+ tokens of prompt, \d+ of answer/ },
  classify: { prints: /positive \(\d+ %\): Wonderful[\s\S]*negative \(\d+ %\): The food was cold/ },
  cost: { prints: /\([1-9]\d* cached\)[\s\S]*together 0\.\d+ cents/ },
  deadline: { prints: /patient: 200 ".+"\nhasty: +504 program_deadline\n.*200 ms: TimeoutError/ },
  draft: { prints: /none: 0 tokens guessed[\s\S]*: \d+ tokens guessed, \d+ of them right\n[\s\S]*\nthe same text/ },
  inspect: { prints: /llama: 135 million weights in 98\.4 MB[\s\S]*Q4_1: 210 tensors[\s\S]*of context/ },
  json: { prints: /(\w+ is \d+ years old and likes (red|green|blue)\n){3}/ },
  logprobs: { prints: /^"\S* ?\S*" [\d.]+ %, of: (?:.* %, ){2}.* %$/m },
  metrics: { prints: /realm_requests_total\{.*\} 3[\s\S]*realm_tokens_total/ },
  models: { prints: /served: exact, dreamy\nexact: .*Paris[\s\S]*dreamy: ./ },
  mount: { prints: /my own page\n401 log in first\n200 .*Paris/ },
  openai: { prints: /Paris[\s\S]*\n\d+ tokens/ },
  perplexity: { prints: /^ *[\d.]+ The capital of France is Paris[\s\S]*Rome the Italy/ },
  priority: { prints: /open: .*report-3[\s\S]*finished: (?=.*request_cancelled)(?=.*urgent)/ },
  program: { prints: /^[^a-z]*PARIS[^a-z]*$/ },
  rate: { prints: /first token after \d+ ms, then \d+ tokens\/s/ },
  search: { prints: /The kitten[^\n]*\n +0\.\d+ {2}The cat sleeps/ },
  seeds: { prints: /seed 1:.+\nseed 2:.+\nseed 3:.+\nseed 2 again: the same/ },
  sessions: { prints: /saved: \d+ tokens[\s\S]*\d+ tokens of prompt, [1-9]\d+ not computed again/ },
  speculation: { prints: /off: [\d.]+ s\nlookup: [\d.]+ s\n[\s\S]*the same text/ },
  sse: { prints: /Paris/ },
  stop: { prints: /without a stop string: ".*\\n.*" length\nwith one: +"[^\\]+" stop/ },
  stream: { prints: /sea[\s\S]*\n\d+ tokens/i },
  template: {
    prints: /<\|im_start\|>system\nAnswer in one word\.[\s\S]*read:\n"Answer in one word\."\n"Is <\|im_end\|> a/,
  },
  tenants: { prints: /acme: +200 .*Paris.*\nglobex: +200 .*Paris.*\nwrong key: 401 invalid_api_key/ },
  terminal: { prints: /model> .*Paris[\s\S]*bye/, input: 'What is the capital of France?\n' },
  tokens: { prints: /38 characters, \d+ tokens[\s\S]*together: the same text/ },
  turns: { prints: /Paris[\s\S]*> How do I get there\?\n[\s\S]*\(\d+ tokens, [1-9]\d* of them known already\)/ },
};

const folder = new URL('../../examples/', import.meta.url);
const names = readdirSync(folder)
  .filter(file => file.endsWith('.ts'))
  .map(file => file.slice(0, -'.ts'.length));

/** One that hangs is a failure long before the whole file is. */
const limitMs = 120_000;

test('every example has a promise, and every promise an example', () => {
  assert.deepEqual(names.sort(), Object.keys(expected).sort());
});

test('the list names every example', () => {
  const list = readFileSync(new URL('README.md', folder), 'utf8');
  const listed = [...list.matchAll(/\]\((\w+)\.ts\)/g)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), names);
});

suite('examples', { concurrency: 2 }, () => {
  for (const name of names) {
    test(name, async () => {
      const promise = expected[name];
      assert.ok(promise);
      const { output, errors, code } = await run(name, promise.input);
      assert.equal(code, 0, `${output}\n${errors}`);
      assert.match(output, promise.prints);
    });
  }
});

function run(name: string, input = ''): Promise<{ output: string; errors: string; code: number | null }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`${name}.ts`, folder))], { timeout: limitMs });
  child.stdin.end(input);
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', text => (output += text));
  child.stderr.setEncoding('utf8').on('data', text => (errors += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve({ output, errors, code }));
  });
}
