import type { Command } from 'commander';
import type { RunPipelineOptions } from './pipeline-run.ts';

export function addPipeline(realm: Command): void {
  const pipeline = realm
    .command('pipeline')
    .description('Pipelines: check their files, run them, and list those of a server.')
    .addHelpText(
      'after',
      `
Examples:
  $ realm pipeline check triage.yaml
  $ realm pipeline run triage.yaml --input '{"ticket": "It crashes"}' --model smollm2-135m
  $ realm pipeline list --url http://127.0.0.1:8080`,
    );
  pipeline
    .command('list')
    .description('List the pipelines of realm.yaml, or those that a server lets you run.')
    .option('-c, --config <file>', 'realm.yaml')
    .option('--url <url>', 'a server that runs, with a key in REALM_API_KEY')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ realm pipeline list --config realm.yaml')
    .action(async options => (await import('./pipeline-files.ts')).list(options));
  pipeline
    .command('check')
    .argument('<files...>', 'files of pipelines, or folders of such files')
    .description('Say what is wrong with pipelines, and where. No server is needed.')
    .option('-c, --config <file>', 'realm.yaml, whose models and tools they may name')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ realm pipeline check pipelines/')
    .action(async (files, options) => (await import('./pipeline-files.ts')).check(files, options));
  pipeline
    .command('run')
    .argument('<pipeline>', 'a file, or the name of one of realm.yaml or of the server')
    .description('Run a pipeline once and print its output.')
    .option('--input <json>', 'its input; without it, standard input')
    .option('--url <url>', 'a server that runs, with a key in REALM_API_KEY')
    .option('-c, --config <file>', 'realm.yaml, whose models, tools and pipelines are used on this machine')
    .option('-m, --model <name|file>', 'a catalog name or a GGUF file, in the place of every model that it names')
    .option('--json', 'print the whole answer, with its steps')
    .addHelpText('after', `\nExample:\n  $ realm pipeline run triage.yaml --input '{"ticket": "It crashes"}'`)
    .action(async (name: string, options: RunPipelineOptions) => {
      const { run } = await import('./pipeline-run.ts');
      await run(name, options);
    });
}
