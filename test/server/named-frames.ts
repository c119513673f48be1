import assert from 'node:assert/strict';

/** The objects of an event stream whose frames have names, which are the objects' types. */
// biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
export async function namedFrames(response: Response, { done = true } = {}): Promise<any[]> {
  const frames = (await response.text()).split('\n\n').filter(frame => frame !== '' && !frame.startsWith(':'));
  if (done) assert.equal(frames.pop(), 'data: [DONE]');
  return frames.map(frame => {
    const [, name, data] = /^event: (\S+)\ndata: (.*)$/.exec(frame) ?? assert.fail(frame);
    const object = JSON.parse(data!);
    assert.equal(object.type, name);
    return object;
  });
}
