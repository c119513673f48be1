import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Constraint } from '../../src/constrain/constraint.ts';
import type { ConstraintCompiler } from '../../src/engine/constraint/compiler.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { EngineEvent, GenerateRequest } from '../../src/engine/request.ts';
import type { ConstraintSource } from '../../src/output-format/constraint-source.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { constraintOf, scriptedCompiler, sources, textOf, texts } from './constraints.ts';
import { ScriptedModel } from './scripted-model.ts';
import { collect, engineOf, expectedAnswer, request, tokensOf } from './support.ts';

const constrained = (
  seed: number,
  constraint: ConstraintSource,
  rest: Partial<GenerateRequest> = {},
): GenerateRequest => request(seed, 40, { maxTokens: 80, sampling: { seed, temperature: 1 }, constraint, ...rest });

const source = (compiler: ConstraintCompiler, model = new ScriptedModel()) =>
  createEngine(model, { backend: '', fileSize: 0, loadMs: 0 }, {}, { constraints: compiler, clock: () => 0 });

/** Answers that repeat themselves. */
const onlyFew = Array.from({ length: 27 }, (_, i) => [(5 + i) as Token, -100] as const);

const endOf = (events: readonly EngineEvent[]) => {
  const end = events.at(-1);
  return end?.kind === 'end' ? end.reason : end?.kind === 'error' ? end.code : undefined;
};

test('answers are what the constraint says, alone or together, with drafts or without', async () => {
  const requests = sources.flatMap((constraint, i) => [1, 2].map(seed => constrained(10 * i + seed, constraint)));
  requests.push(request(77, 40, { maxTokens: 80 }));
  const expected = requests.map(each => expectedAnswer(each, 32, 512));
  for (const speculation of ['off', 'lookup'] as const) {
    for (const draft of [undefined, new ScriptedModel({ maxOutputs: 12, noise: 0.2 })]) {
      const engine = engineOf(new ScriptedModel({ maxOutputs: 12 }), { speculation }, draft);
      const answers = await Promise.all(requests.map(each => collect(engine.submit(each))));
      await engine.close();
      assert.deepEqual(answers.map(tokensOf), expected);
      for (const [i, { constraint }] of requests.entries()) {
        if (!constraint || endOf(answers[i]!) !== 'stop') continue;
        const state = constraintOf(constraint).start();
        assert.ok(expected[i]!.every(token => state.accept(token)) && state.isAccepting, textOf(expected[i]!));
      }
    }
  }
});

test('what must come takes few steps, with guesses or without, beside as many as run', async () => {
  const forced: ConstraintSource = { kind: 'regex', pattern: 'thequickbrownfoxjumps[a-c]overthelazydog' };
  const only = constrained(1, forced);
  const others = Array.from({ length: 7 }, (_, i) => request(2 + i, 40, { maxTokens: 80 }));
  for (const speculation of ['off', 'lookup'] as const) {
    for (const requests of [[only], [...others, only]]) {
      const engine = engineOf(new ScriptedModel(), { speculation });
      const stepsOf = async (each: GenerateRequest) => {
        const events = await collect(engine.submit(each));
        return { events, steps: (await engine.stats()).steps };
      };
      const [{ events, steps }] = (await Promise.all(requests.map(stepsOf))).slice(-1) as [
        Awaited<ReturnType<typeof stepsOf>>,
      ];
      await engine.close();
      assert.equal(endOf(events), 'stop');
      const text = textOf(tokensOf(events));
      assert.match(text, /^thequickbrownfoxjumps[a-c]overthelazydog$/);
      // Those beside it are prompts first.
      const most = text.length / 3 + requests.length;
      assert.ok(steps < most, `${steps} steps of ${text.length} tokens, ${speculation}, ${requests.length} requests`);
    }
  }
});

test('without guesses nothing is guessed but what must come', async () => {
  const engine = engineOf(new ScriptedModel(), { speculation: 'off' });
  await collect(engine.submit(request(2, 40, { maxTokens: 80, sampling: { temperature: 0, logitBias: onlyFew } })));
  const free = await engine.stats();
  await collect(engine.submit(constrained(1, { kind: 'regex', pattern: '(thequickfox){3}' })));
  const all = await engine.stats();
  await engine.close();
  assert.equal(free.draftedTokens, 0);
  // The last one ends the answer.
  assert.ok(all.draftedTokens > 9 && all.acceptedTokens === all.draftedTokens - 1, JSON.stringify(all));
});

test('log-probabilities are those of the untouched distribution, of tokens that must come too', async () => {
  const asked = constrained(1, { kind: 'choice', choices: ['hello'] }, { topLogprobs: 1 });
  const logprobs = await Promise.all(
    (['off', 'lookup'] as const).map(async speculation => {
      const engine = engineOf(new ScriptedModel(), { speculation });
      const events = await collect(engine.submit(asked));
      await engine.close();
      return events.flatMap(event => (event.kind === 'token' ? [event.logprob] : []));
    }),
  );
  assert.equal(logprobs[0]!.length, 5);
  assert.deepEqual(logprobs[1], logprobs[0]);
  // What the model would have said is something else.
  assert.ok(logprobs[0]!.some(each => each!.top[0]!.token !== each!.token));
});

test('an answer that is cut off says so', async () => {
  const engine = engineOf(new ScriptedModel());
  const events = await collect(
    engine.submit(constrained(1, { kind: 'regex', pattern: '[a-c]{50}' }, { maxTokens: 7 })),
  );
  await engine.close();
  assert.equal(endOf(events), 'length');
  assert.match(textOf(tokensOf(events)), /^[a-c]{7,}$/);
});

test('a constraint that cannot be is refused before anything is computed', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model);
  const codes = await Promise.all(
    (
      [
        [{ kind: 'regex', pattern: '(' }, 'grammar_invalid'],
        [{ kind: 'json_schema', schema: '{' }, 'grammar_invalid'],
        [{ kind: 'json_schema', schema: '{"not":{}}' }, 'grammar_invalid'],
        [{ kind: 'json_schema', schema: '{"contains":{}, "uniqueItems":true}' }, 'schema_unsupported'],
        [{ kind: 'gbnf', grammar: 'root ::= other' }, 'grammar_invalid'],
        [{ kind: 'choice', choices: [] }, 'grammar_invalid'],
        [{ kind: 'regex', pattern: 'a'.repeat(600_000) }, 'grammar_limit'],
      ] as const
    ).map(async ([constraint, code]) => [endOf(await collect(engine.submit(constrained(1, constraint)))), code]),
  );
  await engine.close();
  for (const [found, code] of codes) assert.equal(found, code);
  assert.equal(model.runs, 0);
});

test('one that no token of the vocabulary goes on with ends its request, and nobody else’s', async () => {
  const engine = engineOf(new ScriptedModel());
  const other = request(3, 40, { maxTokens: 30 });
  const [dead, alive] = await Promise.all([
    collect(engine.submit(constrained(1, { kind: 'regex', pattern: '[a-c]{3}[A-C]+' }))),
    collect(engine.submit(other)),
  ]);
  await engine.close();
  assert.equal(endOf(dead), 'constraint_dead_end');
  assert.deepEqual(tokensOf(alive), expectedAnswer(other, 32, 512));
});

test('a constraint is compiled once for a tenant, and again for another', async () => {
  let compiled = 0;
  const { compile, close } = scriptedCompiler();
  const counting = (each: ConstraintSource, tenant: string) => {
    compiled++;
    return compile(each, tenant);
  };
  const engine = source({ compile: counting, close });
  const ask = (tenant: string) =>
    collect(engine.submit(constrained(1, { kind: 'choice', choices: ['a'] }, { tenant })));
  await Promise.all([ask('a'), ask('a')]);
  await ask('a');
  assert.equal(compiled, 1);
  await ask('b');
  assert.equal(compiled, 2);
  await engine.close();
});

test('a request ends once while its constraint is compiled: cancelled, or as the engine closes', async () => {
  const never: ConstraintCompiler = { compile: () => new Promise<Constraint>(() => {}), close: async () => {} };
  const engine = source(never);
  const stop = new AbortController();
  const [cancelled, closed] = [
    collect(engine.submit(constrained(1, { kind: 'json_object' }), stop.signal)),
    collect(engine.submit(constrained(2, { kind: 'json_object' }))),
  ];
  stop.abort();
  assert.equal(endOf(await cancelled), 'cancelled');
  await engine.close();
  assert.equal(endOf(await closed), 'shutting_down');
});

test('others go on while one is compiled', async () => {
  const slow = Promise.withResolvers<Constraint>();
  const engine = source({ compile: () => slow.promise, close: async () => {} });
  const waiting = collect(engine.submit(constrained(1, { kind: 'choice', choices: ['abc'] })));
  assert.equal(tokensOf(await collect(engine.submit(request(2, 40)))).length, 20);
  slow.resolve(constraintOf({ kind: 'choice', choices: ['abc'] }));
  assert.equal(textOf(tokensOf(await waiting)), 'abc');
  await engine.close();
});

test('a stop token of the request ends a constrained answer too', async () => {
  const engine = engineOf(new ScriptedModel());
  const stop = texts.indexOf('c') as Token;
  const events = await collect(
    engine.submit(constrained(1, { kind: 'regex', pattern: '[c]{50}' }, { stopTokens: [stop] })),
  );
  await engine.close();
  assert.deepEqual([endOf(events), tokensOf(events)], ['stop', []]);
});
