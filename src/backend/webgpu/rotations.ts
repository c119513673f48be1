/** Cosines and sines of a step's positions: rows of these go to the device, not a table of all positions. */
import type { RopeTable } from '../backend.ts';
import { magnitudeAt } from '../reference/rope.ts';

interface Made {
  readonly positions: Int32Array;
  readonly rotations: Float32Array;
}

export class Rotations {
  /** What was made last, which the layers of a step share. */
  readonly #made = new WeakMap<RopeTable, Made>();

  /** The same array as long as positions are the same. Returns [positions][pairs][cos, sin] */
  of(rope: RopeTable, positions: Int32Array): Float32Array {
    const known = this.#made.get(rope);
    if (known && sameWords(known.positions, positions)) return known.rotations;
    const rotations = rotationsOf(rope, positions);
    this.#made.set(rope, { positions: positions.slice(), rotations });
    return rotations;
  }
}

const sameWords = (a: Int32Array, b: Int32Array): boolean =>
  a.length === b.length && a.every((word, i) => word === b[i]);

/** Computed in f64 and rounded once. */
function rotationsOf(rope: RopeTable, positions: Int32Array): Float32Array {
  const { frequencies, dimensions } = rope;
  const rotations = new Float32Array(positions.length * dimensions);
  let at = 0;
  for (const position of positions) {
    const magnitude = magnitudeAt(rope, position);
    for (const frequency of frequencies.subarray(0, dimensions / 2)) {
      rotations[at++] = Math.cos(position * frequency) * magnitude;
      rotations[at++] = Math.sin(position * frequency) * magnitude;
    }
  }
  return rotations;
}
