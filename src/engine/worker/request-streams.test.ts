import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { RealmError } from '../../errors.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { EngineEvent, GenerateRequest, SequenceId } from '../request.ts';
import { RequestStreams } from './request-streams.ts';

const request: GenerateRequest = { id: 'r', tenant: 't', prompt: [], maxTokens: 1, sampling: {}, stopTokens: [] };
const [id0, id1] = [0 as SequenceId, 1 as SequenceId];
const said = (token: number): EngineEvent => ({ kind: 'token', token: token as Token });
const end: EngineEvent = {
  kind: 'end',
  reason: 'length',
  usage: { promptTokens: 0, cachedTokens: 0, completionTokens: 0 },
};

function setUp() {
  const calls: string[] = [];
  const streams = new RequestStreams({
    submit: id => calls.push(`submit ${id}`),
    cancel: id => calls.push(`cancel ${id}`),
  });
  return { calls, streams };
}

test('each request reads its own events in order, early ones too', async () => {
  const { calls, streams } = setUp();
  const [a, b] = [streams.stream(request), streams.stream(request)];
  assert.deepEqual(calls, [], 'nothing is asked for before somebody reads');
  const first = a.next();
  const other = b.next();
  streams.deliver([
    [id0, said(1)],
    [id1, said(10)],
    [id0, said(2)],
  ]);
  streams.deliver([[id0, end]]);
  assert.deepEqual([(await first).value, (await other).value], [said(1), said(10)]);
  assert.deepEqual(await Array.fromAsync(a), [said(2), end]);
  assert.deepEqual(calls, ['submit 0', 'submit 1']);
  assert.equal(streams.open, 1);
});

test('leaving the loop cancels, ending does not', async () => {
  const { calls, streams } = setUp();
  const stream = streams.stream(request);
  const first = stream.next();
  streams.deliver([[id0, said(1)]]);
  await first;
  await stream.return();
  assert.deepEqual(calls, ['submit 0', 'cancel 0']);
  assert.equal(streams.open, 0);
  streams.deliver([[id0, end]]);
});

test('an aborted signal cancels and is let go of', async () => {
  const { calls, streams } = setUp();
  const controller = new AbortController();
  const stream = streams.stream(request, controller.signal);
  const first = stream.next();
  controller.abort();
  assert.deepEqual(calls, ['submit 0', 'cancel 0']);
  streams.deliver([[id0, end]]);
  assert.deepEqual((await first).value, end);
  assert.ok((await stream.next()).done);
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('a signal that was aborted before still gets its end from the engine', async () => {
  const { calls, streams } = setUp();
  void streams.stream(request, AbortSignal.abort()).next();
  assert.deepEqual(calls, ['submit 0', 'cancel 0']);
});

test('a request that cannot be handed over leaves nothing behind', async () => {
  const streams = new RequestStreams({
    submit: () => {
      throw new Error('it cannot be cloned');
    },
    cancel: () => {},
  });
  const { signal } = new AbortController();
  await assert.rejects(Array.fromAsync(streams.stream(request, signal)), /cloned/);
  assert.deepEqual([streams.open, getEventListeners(signal, 'abort').length], [0, 0]);
});

test('leaving while an event is waited for ends the waiting', async () => {
  const { calls, streams } = setUp();
  const stream = streams.stream(request);
  const waiting = stream.next();
  await stream.return();
  assert.deepEqual(await waiting, { value: undefined, done: true });
  assert.deepEqual(calls, ['submit 0', 'cancel 0']);
});

test('an engine that is gone ends every stream, open or yet to come', async () => {
  const { calls, streams } = setUp();
  const open = Array.fromAsync(streams.stream(request));
  streams.fail(new RealmError('engine_failed', 'gone'));
  streams.fail(new RealmError('shutting_down', 'later'));
  const failed = [{ kind: 'error', code: 'engine_failed', message: 'gone' }];
  assert.deepEqual(await open, failed);
  assert.deepEqual(await Array.fromAsync(streams.stream(request)), failed);
  assert.deepEqual(calls, ['submit 0']);
});
