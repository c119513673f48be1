import { Command, Option } from 'commander';
import { type ArchitectureName, recipes } from './synthetic/architectures.ts';
import { type Mix, mixes } from './synthetic/mixes.ts';
import { writeSynthetic } from './synthetic/model.ts';
import { type Shape, type ShapeName, shapes } from './synthetic/shapes.ts';

interface Flags extends Partial<Shape> {
  readonly shape: ShapeName;
  readonly quant: Mix;
  readonly arch: ArchitectureName;
  readonly seed: number;
}

const program = new Command('synthetic')
  .description('Write a GGUF model of random weights: for measuring speed and for tests, not for talking to.')
  .argument('<out>', 'the file to write')
  .addOption(new Option('--shape <name>', 'dimensions').choices(Object.keys(shapes)).default('tiny'))
  .addOption(new Option('--quant <format>', 'format of the matrices').choices([...mixes]).default('Q4_0'))
  .addOption(new Option('--arch <name>', 'architecture').choices(Object.keys(recipes)).default('llama'))
  .option('--seed <n>', 'the same seed gives the same file', Number, 1)
  .option('--tied', 'use the token embedding as the output matrix');
const dimensionFlags = [
  ['width', 'width of the residual stream'],
  ['layers', 'layers'],
  ['heads', 'query heads'],
  ['kv-heads', 'key and value heads'],
  ['head-width', 'width of a head'],
  ['ffn', 'inner width of the feed-forward network'],
  ['vocab', 'tokens of the vocabulary'],
  ['context', 'context length in the metadata'],
  ['rope-base', 'RoPE frequency base'],
  ['experts', 'experts of a mixture'],
  ['experts-used', 'experts used per token'],
  ['window', 'sliding window'],
] as const;
for (const [flag, meaning] of dimensionFlags) {
  program.option(`--${flag} <n>`, meaning, Number);
}
program.action((out: string, { shape, quant, arch, seed, ...dimensions }: Flags) => {
  const bytes = writeSynthetic(out, { shape, quant, architecture: arch, seed, with: dimensions });
  console.log(`${out}: ${(bytes / 1e6).toFixed(1)} MB`);
});
await program.parseAsync();
