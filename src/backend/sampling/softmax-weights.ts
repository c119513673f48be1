const log2e = 1.4426950408889634;
const ln2 = 0.6931471805599453;

/** 2^-i. */
const halvings = Float64Array.from({ length: 1075 }, (_, i) => 2 ** -i);

/**
 * The weights of a softmax, not yet divided by their sum, which it returns: replaces the first `count` logits by
 * e^((logit - best) / temperature), to 1e-8 of the value (logits have f32's 6e-8). `best` is the greatest. Twice as fast as
 * Math.exp, whose last bits moreover are the JavaScript engine's own affair: here the same logits give the same weights
 * everywhere. The exponential stands inside the loop because a call to it costs a heap number each time.
 */
export function softmaxWeights(logits: Float64Array, count: number, best: number, temperature: number): number {
  const scale = -log2e / temperature;
  let total = 0;
  for (let i = 0; i < count; i++) {
    const distance = logits[i] - best;
    // The exponent to base 2, negated; 0 * Infinity is the best one at the lowest temperatures.
    const halved = distance === 0 ? 0 : distance * scale;
    if (halved < 1074) {
      const whole = (halved + 0.5) | 0;
      const f = (whole - halved) * ln2;
      const tail = 1 / 24 + f * (1 / 120 + f * (1 / 720 + f * (1 / 5040)));
      logits[i] = halvings[whole] * (1 + f * (1 + f * (1 / 2 + f * (1 / 6 + f * tail))));
      total += logits[i];
    } else {
      logits[i] = 0;
    }
  }
  return total;
}
