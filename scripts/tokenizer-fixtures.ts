/**
 * Writes test/tokenizer/fixtures/tokens.json: what llama.cpp's `llama-tokenize` makes of the texts beside it, for the
 * vocabularies that come without expected tokens, and for Gemma 4's. LLAMA_CPP_BIN names the folder with that program.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { llamaBundle } from '../test/support/llama-bundle.ts';

const bin = process.env.LLAMA_CPP_BIN;
if (!bin) throw new Error('LLAMA_CPP_BIN must name the folder that holds llama-tokenize');
const fixtures = new URL('../test/tokenizer/fixtures/', import.meta.url);
const texts: Record<string, string> = JSON.parse(readFileSync(new URL('texts.json', fixtures), 'utf8'));

function tokenize(model: string, text: string, flags: readonly string[]): number[] {
  if (text === '') return [];
  const args = ['-m', model, '--stdin', '--ids', '--log-disable', '--no-escape', '--no-bos', ...flags];
  const { stdout, status, stderr } = spawnSync(join(bin as string, 'llama-tokenize'), args, { input: text });
  if (status !== 0) throw new Error(`${model}: ${stderr}`);
  return JSON.parse(stdout.toString());
}

/** Those whose algorithm no other has. */
const also = new Set(['gemma-4']);
const folder = join(await llamaBundle(), 'models');
const all = process.argv.includes('--all');
const tokens: Record<string, Record<string, { parsed: number[]; plain: number[] }>> = {};
for (const model of globSync(join(folder, 'ggml-vocab-*.gguf')).sort()) {
  const name = basename(model, '.gguf').replace('ggml-vocab-', '');
  if (!all && existsSync(`${model}.out`) && !also.has(name)) continue;
  tokens[name] = {};
  for (const [title, text] of Object.entries(texts)) {
    const [parsed, plain] = [tokenize(model, text, []), tokenize(model, text, ['--no-parse-special'])];
    tokens[name][title] = { parsed, plain };
  }
}
const target = all ? (process.argv.at(-1) as string) : new URL('tokens.json', fixtures);
writeFileSync(target, `${JSON.stringify(tokens)}\n`);
