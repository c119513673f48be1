import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { asRealmError, RealmError } from '../../errors.ts';
import { suggestion } from '../../pipelines/document/near.ts';
import { loadPipeline } from '../../pipelines/load.ts';
import type { Pipeline } from '../../pipelines/types.ts';
import type { Program } from '../../sandbox/types.ts';
import type { Issue } from '../../tenancy/issues.ts';
import type { ServedPipeline } from './book.ts';

/** What a pipeline may name. */
export interface WhatIsThere {
  /** Absent: any name stands for one. */
  readonly models: Iterable<string> | undefined;
  readonly tools: Iterable<string> | undefined;
  /** Those that were uploaded. */
  readonly programs: Iterable<string> | undefined;
  loadProgram(name: string, bytes: Uint8Array): Promise<Program>;
}

const documents = /\.(ya?ml|json)$/i;
/** Programs that are files beside the pipeline; all others have been uploaded. */
const isFile = (program: string): boolean => program.endsWith('.wasm');

/** The files of the places that the configuration names, a folder's in the order of their names. */
export async function pipelineFiles(places: readonly string[] = []): Promise<string[]> {
  const found = await Promise.all(
    places.map(async place => {
      const names = await readdir(place).catch(() => undefined);
      return names === undefined
        ? place
        : [...names]
            .sort()
            .filter(name => documents.test(name))
            .map(name => join(place, name));
    }),
  );
  return found.flat();
}

/** What a change of the pipelines changes: their files, the folders that these lie in, and programs beside them. */
export async function watchedFiles(
  places: readonly string[] = [],
  served: Iterable<ServedPipeline> = [],
): Promise<Set<string>> {
  const programs = [...served].flatMap(({ file, pipeline }) =>
    pipeline.uses.programs.filter(isFile).map(name => resolve(dirname(file), name)),
  );
  return new Set([...places, ...(await pipelineFiles(places)), ...programs]);
}

/**
 * All pipelines, each checked; none where there is a mistake in any: `pipeline_invalid` has all of them, with file and
 * line. `before`: whose programs need not be compiled again.
 */
export async function loadPipelines(
  places: readonly string[] | undefined,
  there: WhatIsThere,
  before: Iterable<ServedPipeline> = [],
): Promise<Map<string, ServedPipeline>> {
  const loader = new Loader(
    there,
    [...before].flatMap(({ programs }) => [...programs.values()]),
  );
  for (const file of await pipelineFiles(places)) await loader.add(file);
  return loader.finish();
}

class Loader {
  readonly #there: WhatIsThere;
  readonly #known: Map<string, Program>;
  readonly #served = new Map<string, ServedPipeline>();
  readonly #mistakes: string[] = [];

  constructor(there: WhatIsThere, known: readonly Program[]) {
    this.#there = there;
    this.#known = new Map(known.map(program => [program.digest, program]));
  }

  async add(file: string): Promise<void> {
    const text = await readFile(file, 'utf8').catch(error => this.#refuse(`${file}: cannot be read: ${error.code}`));
    if (text === undefined) return;
    const pipeline = this.#read(text, file);
    if (!pipeline) return;
    const earlier = this.#served.get(pipeline.name);
    if (earlier)
      return this.#refuse(`${at(file, text, pipeline.name)}: ${earlier.file} is a pipeline of that name too`);
    this.#checkNames(pipeline, file, text);
    const programs = await this.#programs(pipeline, file, text);
    const created = Math.floor((await stat(file)).mtimeMs / 1000);
    this.#served.set(pipeline.name, { pipeline, file, text, created, programs });
  }

  finish(): Map<string, ServedPipeline> {
    if (this.#mistakes.length === 0) return this.#served;
    const issues: Issue[] = this.#mistakes.map(message => ({ path: '', message }));
    const count = issues.length === 1 ? '1 mistake' : `${issues.length} mistakes`;
    const lines = this.#mistakes.map(line => `\n  ${line}`).join('');
    throw new RealmError('pipeline_invalid', `pipelines have ${count}:${lines}`, {
      param: 'pipelines',
      cause: { issues },
    });
  }

  #read(text: string, file: string): Pipeline | undefined {
    try {
      return loadPipeline(text, { file });
    } catch (error) {
      this.#refuse(...asRealmError(error).message.split('\n'));
      return undefined;
    }
  }

  #checkNames({ uses }: Pipeline, file: string, text: string): void {
    const { models, tools, programs } = this.#there;
    const check = (kind: string, used: readonly string[], there: Iterable<string> | undefined) => {
      const known = there && new Set(there);
      for (const name of used.filter(name => known?.has(name) === false))
        this.#refuse(`${at(file, text, name)}: there is no ${kind} '${name}'${suggestion(name, known!)}`);
    };
    check('model', uses.models, models);
    check('tool', uses.tools, tools);
    check(
      'program',
      uses.programs.filter(name => !isFile(name)),
      programs,
    );
  }

  async #programs({ uses }: Pipeline, file: string, text: string): Promise<Map<string, Program>> {
    const programs = new Map<string, Program>();
    for (const name of uses.programs.filter(isFile)) {
      const program = await this.#program(resolve(dirname(file), name)).catch(error =>
        this.#refuse(`${at(file, text, name)}: ${asRealmError(error).message}`),
      );
      if (program) programs.set(name, program);
    }
    return programs;
  }

  async #program(path: string): Promise<Program> {
    const bytes = await readFile(path).catch(() => {
      throw new RealmError('program_not_found', `there is no file ${path}`);
    });
    const digest = createHash('sha256').update(bytes).digest('hex');
    const program = this.#known.get(digest) ?? (await this.#there.loadProgram(basename(path), bytes));
    this.#known.set(digest, program);
    return program;
  }

  #refuse(...mistakes: readonly string[]): undefined {
    this.#mistakes.push(...mistakes.filter(line => line.trim() !== ''));
  }
}

/** Where a name stands in a document that has it, as `file:line`. */
function at(file: string, text: string, name: string): string {
  const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const line = text.split('\n').findIndex(each => new RegExp(`:\\s*["']?${quoted}["']?\\s*(?:[#,}]|$)`).test(each));
  return `${file}:${line < 0 ? 1 : line + 1}`;
}
