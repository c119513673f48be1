import type { RopeSpec } from '../backend/backend.ts';
import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';

/** How far a model's rotations were stretched beyond the context that it was first trained for. */
export type RopeScaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly originalContext: number;
      /** Rotations in which a frequency is left alone (more than `fast`) or stretched fully (fewer than `slow`). */
      readonly fast: number;
      readonly slow: number;
    };

interface FrequencyOptions {
  readonly dimensions: number;
  readonly base: number;
  readonly scaling: RopeScaling;
  /** Divisors of each frequency that the file brings (llama 3, phi 3), [dimensions / 2]. */
  readonly factors?: Float32Array | undefined;
}

/** Angles per position of each pair of dimensions. arXiv:2104.09864, arXiv:2306.15595 (linear), arXiv:2309.00071 (YaRN) */
export function ropeFrequencies({ dimensions, base, scaling, factors }: FrequencyOptions): Float64Array {
  return Float64Array.from({ length: dimensions / 2 }, (_, i) => {
    const plain = base ** ((-2 * i) / dimensions) / (factors?.[i] ?? 1);
    if (scaling.kind === 'none') return plain;
    if (scaling.kind === 'linear') return plain / scaling.factor;
    const keep = yarnRamp(i, dimensions, base, scaling);
    return (plain / scaling.factor) * (1 - keep) + plain * keep;
  });
}

/** 1 for pairs that turn fast, 0 for slow ones, a straight line between. */
function yarnRamp(
  pair: number,
  dimensions: number,
  base: number,
  { originalContext, fast, slow }: Extract<RopeScaling, { kind: 'yarn' }>,
): number {
  const pairThatTurns = (times: number) =>
    (dimensions * Math.log(originalContext / (times * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(0, Math.floor(pairThatTurns(fast)));
  const high = Math.min(dimensions - 1, Math.ceil(pairThatTurns(slow)));
  const ramp = (pair - low) / Math.max(0.001, high - low);
  return 1 - Math.min(1, Math.max(0, ramp));
}

/** YaRN's factor on cos and sin, which sharpens attention over longer contexts. `logMultiplier` as in DeepSeek's. */
export function yarnMagnitude(factor: number, logMultiplier: number): number {
  return logMultiplier === 0 ? logMagnitude(factor, 1) : logMagnitude(factor, 1) / logMagnitude(factor, logMultiplier);
}

export const logMagnitude = (factor: number, multiplier: number): number =>
  factor <= 1 ? 1 : 0.1 * multiplier * Math.log(factor) + 1;

/** By what a file's rotations are stretched by YaRN; 1: they are not. */
export function yarnFactor(keys: Keys, config: ModelConfig): number {
  const scaling = readScaling(keys, config);
  return scaling.kind === 'yarn' ? scaling.factor : 1;
}

export interface RopeOptions {
  readonly style: RopeSpec['style'];
  /** Tokens that the KV cache holds: no sequence gets longer. */
  readonly kvTokens: number;
  readonly factors?: Float32Array | undefined;
  /** As in {@link yarnMagnitude}. Default: the file's. */
  readonly logMultiplier?: number | undefined;
}

/** The keys of what layers with a window have for themselves. */
interface LocalRopeOptions extends RopeOptions {
  readonly dimensionsKey?: string;
  readonly baseKey?: string;
}

/** The rotations that a file describes. */
export function readRope(keys: Keys, config: ModelConfig, { style, kvTokens, factors, ...own }: RopeOptions): RopeSpec {
  const scaling = readScaling(keys, config);
  const attention = keys.maybe('rope.scaling.attn_factor', { min: 1e-3, max: 1e3 }) ?? 1;
  const logMultiplier = own.logMultiplier ?? keys.maybe('rope.scaling.yarn_log_multiplier', { min: 0, max: 1e3 }) ?? 0;
  const stretched = scaling.kind === 'yarn' ? yarnMagnitude(scaling.factor, logMultiplier) : 1;
  const dimensions = ropeDimensions(keys, config);
  const base = readBase(keys, 'rope.freq_base') * ntkFactor(keys, config);
  return {
    headDim: config.headDim,
    dimensions,
    style,
    frequencies: ropeFrequencies({ dimensions, base, scaling, factors }),
    magnitude: stretched * attention,
    maxPosition: longest(config, kvTokens),
  };
}

/** 1 + scale * ln(floor(position / original context) + 1): what sharpens the queries of Ministral 3. */
export function readTemperature(keys: Keys, config: ModelConfig): RopeSpec['temperature'] {
  const scale = temperatureScale(keys);
  if (scale === 0) return undefined;
  const dimensions = ropeDimensions(keys, config);
  if (dimensions !== config.headDim)
    keys.fail('rope.dimension_count', `is ${dimensions} of ${config.headDim}; attention.temperature_scale needs all`);
  return temperatureOf(scale, originalContext(keys, config));
}

/** The same of Mistral Large 3, whose files say the length. */
export function readLatentTemperature(keys: Keys): RopeSpec['temperature'] {
  const scale = temperatureScale(keys);
  return scale === 0 ? undefined : temperatureOf(scale, keys.size('attention.temperature_length', 2 ** 31));
}

const temperatureScale = (keys: Keys): number => keys.maybe('attention.temperature_scale', { min: 0, max: 1e3 }) ?? 0;

const temperatureOf =
  (scale: number, length: number): RopeSpec['temperature'] =>
  position =>
    1 + scale * Math.log(Math.floor(position / length) + 1);

/** The rotations of layers with a sliding window: a base of their own where there is one, no scaling. */
export function readLocalRope(
  keys: Keys,
  config: Pick<ModelConfig, 'headDim' | 'trainedContext'>,
  { style, kvTokens, dimensionsKey, baseKey = 'rope.freq_base_swa' }: LocalRopeOptions,
): RopeSpec {
  const dimensions = ropeDimensions(keys, config, dimensionsKey);
  const base = readBase(keys, baseKey);
  return {
    headDim: config.headDim,
    dimensions,
    style,
    frequencies: ropeFrequencies({ dimensions, base, scaling: { kind: 'none' } }),
    magnitude: 1,
    maxPosition: longest(config, kvTokens),
  };
}

/** What a base is stretched by for longer contexts (Hunyuan): alpha^(d / (d - 2)). */
function ntkFactor(keys: Keys, { headDim }: ModelConfig): number {
  const alpha = keys.maybe('rope.scaling.alpha', { min: 0, max: 1e6 }) || 1;
  return headDim > 2 ? alpha ** (headDim / (headDim - 2)) : 1;
}

function readBase(keys: Keys, key: string): number {
  return keys.maybe(key, { min: 1.001, max: 1e12 }) ?? 10000;
}

/** Positions that a sequence can reach: what the model was trained for, or what the cache holds when that is less. */
export function longest(config: Pick<ModelConfig, 'trainedContext'>, kvTokens: number): number {
  return Math.min(config.trainedContext, kvTokens);
}

/** Leading dimensions of a head that are rotated. */
export function ropeDimensions(
  keys: Keys,
  { headDim }: Pick<ModelConfig, 'headDim'>,
  key = 'rope.dimension_count',
): number {
  const dimensions = keys.maybe(key, { min: 2, max: headDim, integer: true }) ?? headDim;
  return dimensions % 2 === 0 ? dimensions : keys.fail(key, `is ${dimensions} and must be even`);
}

/** The context a stretched model was first trained for. */
export function originalContext(keys: Keys, config: ModelConfig): number {
  return keys.maybe('rope.scaling.original_context_length', { min: 1, integer: true }) ?? config.trainedContext;
}

/** Without a type a factor means linear scaling, as old files have it. */
function readScaling(keys: Keys, config: ModelConfig): RopeScaling {
  const key = `${keys.architecture}.rope.scaling.type`;
  const kind = keys.meta.maybeString(key) ?? 'linear';
  const bounds = { min: 0, max: 1e6 };
  const betas = { min: 1e-3, max: 1e6 };
  const factor = (keys.maybe('rope.scaling.factor', bounds) ?? keys.maybe('rope.scale_linear', bounds)) || 1;
  switch (kind) {
    case 'none':
      return { kind: 'none' };
    case 'linear':
    case 'longrope':
      return { kind: 'linear', factor };
    case 'yarn':
      return {
        kind: 'yarn',
        factor,
        originalContext: originalContext(keys, config),
        fast: keys.maybe('rope.scaling.yarn_beta_fast', betas) ?? 32,
        slow: keys.maybe('rope.scaling.yarn_beta_slow', betas) ?? 1,
      };
    default:
      return keys.meta.fail(key, `is ${kind}; known are none, linear, yarn and longrope`);
  }
}
