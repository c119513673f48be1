import { RealmError } from '../../errors.ts';
import type { Pin } from '../types.ts';

/** A file of a repository, as the hub's list has it. */
export interface RepoFile extends Pin {
  /** Inside of the repository. */
  readonly path: string;
}

/** One of the models in a repository: a file, or all parts of a split one in their order. */
export interface Choice {
  /** `Q4_K_M`, `UD-Q4_K_XL`; of a name that does not say it, the file's. */
  readonly quantization: string;
  readonly files: readonly RepoFile[];
  /** Bytes. */
  readonly size: number;
}

/** What is looked for where nobody says: as llama.cpp's `-hf` does. */
const usual = ['Q4_K_M', 'Q8_0'];

const inName = /(?:^|[-_./])((?:UD-)?(?:I?Q\d\w*|TQ\d_\d|BF16|FP?16|F32|MXFP4\w*|NVFP4))(?=[.-]|$)/gi;
const partOf = /-(\d{5})-of-(\d{5})\.gguf$/i;

/** The models among a repository's files. Projectors of images and matrices of importance are none. */
export function choicesIn(files: readonly RepoFile[]): Choice[] {
  const whole = files.filter(({ path }) => /\.gguf$/i.test(path) && !/mmproj|imatrix/i.test(path));
  const groups = Map.groupBy(whole, ({ path }) => path.replace(partOf, '-of-$2'));
  return [...groups.values()].map(group => {
    const parts = group.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    return { quantization: labelOf(parts[0]!.path), files: parts, size };
  });
}

/** The last in the name: `model-Q8_0/model-Q4_K_M.gguf` is what the file says. */
function labelOf(path: string): string {
  const found = [
    ...path
      .replace(partOf, '')
      .replace(/\.gguf$/i, '')
      .matchAll(inName),
  ].at(-1)?.[1];
  return found ? found.toUpperCase() : path.replace(/^.*\/|\.gguf$/gi, '');
}

/**
 * The model that is meant: `wanted` is a quantisation or a file; absent: Q4_K_M, then Q8_0, then the first. Throws
 * `quantization_not_found`, which lists those there are, and `model_invalid` for a model without all of its parts.
 */
export function choose(repo: string, choices: readonly Choice[], wanted: string | undefined): Choice {
  const names = wanted === undefined ? usual : [wanted];
  const found = names.flatMap(name => match(choices, name))[0] ?? (wanted === undefined ? choices[0] : undefined);
  if (!found) throw none(repo, choices, wanted);
  const first = found.files[0]!.path;
  const count = Number(partOf.exec(first)?.[2] ?? 1);
  if (found.files.length === count && Number(partOf.exec(first)?.[1] ?? 1) === 1) return found;
  throw new RealmError('model_invalid', `${repo} has ${found.files.length} of the ${count} parts of ${first}.`);
}

function match(choices: readonly Choice[], name: string): Choice[] {
  const same = (text: string) => text.toLowerCase() === name.toLowerCase();
  const exact = choices.filter(({ quantization }) => same(quantization));
  return [...exact, ...choices.filter(({ files }) => files.some(({ path }) => same(path)))];
}

function none(repo: string, choices: readonly Choice[], wanted: string | undefined): RealmError {
  if (choices.length === 0) return new RealmError('model_not_found', `${repo} has no GGUF files; others are not read.`);
  const names = choices.map(each => each.quantization).join(', ');
  return new RealmError('quantization_not_found', `${repo} has no ${wanted}; there are ${names}.`);
}
