import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Choice, candidates, choiceOf, everywhere, type Verdict, variantsIn } from './choice.ts';

const verdict = (variant: string, one: number, few = one, many = one): Verdict => ({
  ...{ part: 'Q4_K', variant, agrees: true },
  microseconds: { one: [one, one], few: [few, few], many: [many, many] },
});
const all = (variant: string): Choice => everywhere('Q4_K', variant);

describe('the choice of kernels', () => {
  it('is made for each number of tokens', () => {
    const verdicts = [verdict('relaxed-revec', 100, 200, 300), verdict('dotadd-revec', 80, 250, 200)];
    assert.deepEqual(choiceOf('Q4_K', verdicts), { one: 'dotadd-revec', few: 'relaxed-revec', many: 'dotadd-revec' });
  });

  it('is one where no integers are multiplied', () => {
    assert.deepEqual(Object.keys(everywhere('Q8_0', 'plain')), ['one', 'few', 'many']);
    assert.deepEqual(Object.keys(everywhere('F16', 'plain')), ['all']);
    assert.deepEqual(Object.keys(everywhere('common', 'plain')), ['all']);
  });

  it('keeps to the list where times are nearly the same, whoever was timed first', () => {
    const [a, b] = [verdict('relaxed-revec', 100), verdict('dotadd-revec', 96)];
    assert.deepEqual(choiceOf('Q4_K', [a, b]), all('relaxed-revec'));
    assert.deepEqual(choiceOf('Q4_K', [b, a]), all('relaxed-revec'));
  });

  it('does not change with noise of two in a hundred, unless one is about a twentieth faster', () => {
    const noise = fc.double({ min: 0.99, max: 1.01, noNaN: true });
    const ratio = fc.double({ min: 0.5, max: 2, noNaN: true }).filter(r => r < 0.93 || r > 0.98);
    fc.assert(
      fc.property(ratio, noise, noise, (r, x, y) => {
        const chosen = choiceOf('Q4_K', [verdict('relaxed-revec', 100 * x), verdict('dotadd-revec', 100 * r * y)]);
        assert.deepEqual(chosen, all(r < 0.95 ? 'dotadd-revec' : 'relaxed-revec'));
      }),
    );
  });

  it('keeps to the list where the halves of the rounds do not agree: the machine was busy', () => {
    const microseconds = { one: [300, 400], few: [300, 310], many: [300, 101] };
    const chosen = choiceOf('Q4_K', [{ ...verdict('relaxed-revec', 0), microseconds }, verdict('dotadd-revec', 100)]);
    assert.deepEqual(chosen, { ...all('relaxed-revec'), few: 'dotadd-revec' });
  });

  it('is none that computes other bits, however fast', () => {
    const wrong = { ...verdict('relaxed-revec', 1), agrees: false };
    assert.deepEqual(choiceOf('Q4_K', [wrong, verdict('dotadd-revec', 100)]), all('dotadd-revec'));
    assert.equal(choiceOf('Q4_K', [wrong]), undefined);
  });

  it('is not measured where one is left', () => {
    assert.deepEqual(choiceOf('F16', [{ part: 'F16', variant: 'relaxed-revec', agrees: true }]), {
      all: 'relaxed-revec',
    });
  });

  it('takes kernels without the re-vectoriser when nothing else agrees', () => {
    const [revec, plain] = [verdict('relaxed-revec', 100), verdict('plain', 50)];
    assert.deepEqual(candidates([revec, plain]), [revec]);
    assert.deepEqual(candidates([{ ...revec, agrees: false }, plain]), [plain]);
  });

  it('names each of its variants once', () => {
    assert.deepEqual(variantsIn({ one: 'a', few: 'b', many: 'a' }), ['a', 'b']);
  });
});
