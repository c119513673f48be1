import type { Command } from 'commander';
import { RealmError } from '../errors.ts';
import {
  context as contextOption,
  device,
  deviceHelp,
  gpuLayers,
  gpuLayersHelp,
  threads,
  wholeNumber,
} from './options.ts';
import type { ServeOptions } from './serving.ts';

export function addServe(realm: Command): void {
  realm
    .command('serve')
    .description("Serve OpenAI's HTTP API.")
    .option('-c, --config <file>', 'realm.yaml; without it, one open tenant on this machine only')
    .option(
      '-m, --model <name|file>',
      'a catalog name or a GGUF file, instead of the models of the configuration (default: smollm2-135m)',
    )
    .option('--models <folder>', 'a folder of GGUF files instead: each is loaded when it is first asked for')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('-p, --port <n>', 'port to listen on, 0 for any (default: 8080)', wholeNumber(0, 65_535))
    .option('--context <tokens>', 'longest prompt and answer together', contextOption)
    .option('--threads <n>', 'compute threads of each model', threads)
    .option('--device <device>', deviceHelp, device)
    .option('--gpu-layers <n>', gpuLayersHelp, gpuLayers)
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm serve\n  $ realm serve --model model.gguf --port 9000\n' +
        '  $ realm serve --models /data/models\n  $ realm serve --config realm.yaml',
    )
    .action(async (options: ServeOptions) => {
      if (options.model !== undefined && options.models !== undefined)
        throw new RealmError('usage', 'give --model or --models, not both.');
      const { serve } = await import('./serving.ts');
      await serve(options);
    });
}
