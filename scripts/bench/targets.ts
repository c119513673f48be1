/** What Realm means to reach against a llama.cpp built for the same machine, as ratios by model and kind of test. */
const targets: readonly { model: RegExp; variant?: string; ratios: Readonly<Record<string, number>> }[] = [
  { model: /tinyllama.*q4_0/i, variant: 'plain', ratios: { tg: 0.9, pp: 0.6 } },
  { model: /tinyllama.*q4_0/i, ratios: { tg: 1, pp: 1.1, batch: 1.3, depth: 1.5 } },
  { model: /tinyllama.*q4_k_m/i, ratios: { tg: 1, pp: 1.3, batch: 1.7, depth: 1.5 } },
  { model: /tinyllama.*q8_0/i, ratios: { tg: 1, pp: 1 } },
  { model: /qwen3\.5.*q4_k_m/i, ratios: { tg: 1, pp: 1.2, batch: 1.3, depth: 1.3 } },
  { model: /gpt-oss.*mxfp4/i, ratios: { tg: 1, pp: 1 } },
  { model: /tinyllama.*(iq3_s|iq2_s)/i, ratios: { tg: 1, pp: 1 } },
  { model: /smollm2-135m.*q4_1/i, ratios: { tg: 1.5, pp: 2, batch: 1.5 } },
  { model: /smollm2-135m.*q4_0/i, ratios: { tg: 1, pp: 0.9 } },
];

export function targetOf(model: string, test: string, variant: string | undefined): number | undefined {
  const kind = test.startsWith('pp') ? 'pp' : test.includes('x') ? 'batch' : test.includes('@') ? 'depth' : 'tg';
  const found = targets.find(target => target.model.test(model) && target.variant === variant);
  return found?.ratios[kind];
}
