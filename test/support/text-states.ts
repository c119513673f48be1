import type { Model } from '../../src/model/types.ts';

/** Hidden states of texts that go through an encoder together, of 64 tokens at most each. */
export async function textStates(model: Model, texts: readonly Int32Array[]): Promise<Float32Array[]> {
  const starts = texts.map((_, i) => texts.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  const tokens = texts.reduce((sum, { length }) => sum + length, 0);
  await model.run({
    ...{ tokens, outputs: new Int32Array(0), states: true },
    ids: Int32Array.from(texts.flatMap(text => [...text])),
    positions: Int32Array.from(texts.flatMap(text => [...text.keys()])),
    segments: texts.map(({ length: count }, i) => {
      return { start: starts[i]!, count, position: 0, pages: Int32Array.of(2 * i + 1, 2 * i) };
    }),
  });
  const states: Float32Array[] = [];
  for (const [i, { length }] of texts.entries()) {
    const into = new Float32Array(length * model.width);
    await model.states(
      Int32Array.from({ length }, (_, row) => starts[i]! + row),
      into,
    );
    states.push(into);
  }
  return states;
}
