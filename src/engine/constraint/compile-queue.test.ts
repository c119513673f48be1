import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PortableGrammar } from '../../constrain/portable.ts';
import { RealmError } from '../../errors.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import { CompileQueue } from './compile-queue.ts';

const grammar = {} as PortableGrammar;
const patternOf = (source: ConstraintSource): string => (source.kind === 'regex' ? source.pattern : '');
const regex = (pattern: string): ConstraintSource => ({ kind: 'regex', pattern });
const settled = () => new Promise(setImmediate);

/** A queue before a compiler that takes as long as it is told: whose pattern it is at, `finish` ends it. */
class Bench {
  readonly begun: string[] = [];
  readonly queue: CompileQueue;
  #time = 0;
  #current: PromiseWithResolvers<PortableGrammar> | undefined;

  constructor() {
    this.queue = new CompileQueue(
      source => {
        this.begun.push(patternOf(source));
        this.#current = Promise.withResolvers();
        return this.#current.promise;
      },
      () => this.#time,
    );
  }

  add(tenant: string, pattern = tenant, weight?: number): Promise<PortableGrammar> {
    const compiled = this.queue.add({ id: tenant, weight, maxQueued: 100 }, regex(pattern));
    compiled.catch(() => {});
    return compiled;
  }

  /** The one that is being compiled has taken `ms`; the next begins. */
  async finish(ms: number, error?: Error): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    this.#time += ms;
    if (error) current?.reject(error);
    else current?.resolve(grammar);
    await settled();
  }
}

describe('the queue of sources that are to be compiled', () => {
  it('delays an ordinary source by one dear one of a flood, whatever the order and the times', async () => {
    const arrivals = fc.array(fc.record({ dear: fc.integer({ min: 10, max: 250 }), asks: fc.boolean() }), {
      minLength: 5,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(arrivals, async steps => {
        const bench = new Bench();
        for (let i = 0; i < 90; i++) void bench.add('flood');
        for (const { dear, asks } of steps) {
          if (asks) void bench.add('b');
          const before = bench.begun.length;
          await bench.finish(dear);
          if (asks) assert.deepEqual(bench.begun.slice(before), ['b']);
          if (asks) await bench.finish(5);
        }
      }),
    );
  });

  it("keeps each tenant's own in order, and shares the time by weight", async () => {
    const bench = new Bench();
    for (let i = 0; i < 40; i++) {
      void bench.add('a', `a${i}`, 3);
      void bench.add('b', `b${i}`);
    }
    for (let i = 0; i < 39; i++) await bench.finish(20);
    const own = bench.begun.filter(name => name.startsWith('a'));
    assert.equal(own.length, 30);
    assert.deepEqual(
      own,
      Array.from(own, (_, i) => `a${i}`),
    );
  });

  it('goes on behind one that fails, and makes its tenant pay for it', async () => {
    const bench = new Bench();
    const failed = bench.add('a', 'broken');
    void bench.add('a', 'a');
    void bench.add('b', 'b');
    await bench.finish(250, new RealmError('grammar_limit', 'too long'));
    await assert.rejects(failed, { code: 'grammar_limit' });
    assert.deepEqual(bench.begun, ['broken', 'b']);
    await bench.finish(250);
    assert.deepEqual(bench.begun, ['broken', 'b', 'a']);
  });

  it('is full for a tenant with too many waiting, and for nobody else', async () => {
    const bench = new Bench();
    for (let i = 0; i < 100; i++) void bench.add('flood');
    await assert.rejects(bench.add('flood'), {
      code: 'queue_full',
      retryAfter: 1,
      message: '100 schemas and grammars of this tenant are waiting already: try again in 1 s',
    });
    void bench.add('b');
    await bench.finish(1);
    assert.deepEqual(bench.begun, ['flood', 'b']);
  });
});
