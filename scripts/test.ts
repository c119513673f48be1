/** Runs every check and every test, and ends with one line: `N passed, N failed`. */
import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { createInterface } from 'node:readline';

interface Counts {
  passed: number;
  failed: number;
}

type Step =
  /** One command; its exit code is its result. */
  | { readonly kind: 'check'; readonly name: string; readonly command: readonly string[] }
  /** Test files for node:test. `together`: how many files at once (on two cores); `covered`: what of src they run is measured. */
  | {
      readonly kind: 'tests';
      readonly name: string;
      readonly files: readonly string[];
      readonly together: number;
      readonly covered?: boolean;
      /** With a GPU, or what stands for one. */
      readonly gpu?: boolean;
    };

/**
 * Without a GPU its tests run on SwiftShader, which comes with Debian's Chromium: a Vulkan driver that computes on the CPU.
 * Dawn finds Vulkan's loader by the path of libraries alone.
 */
const chromium = '/usr/lib/chromium';
const swiftShader = existsSync(`${chromium}/vk_swiftshader_icd.json`)
  ? { VK_ICD_FILENAMES: `${chromium}/vk_swiftshader_icd.json`, LD_LIBRARY_PATH: chromium }
  : undefined;
const onGpu = (file: string): boolean => /webgpu|^test\/gpu\//.test(file);
/** Left out where there is neither; in CI there must be one. */
const gpuTests = swiftShader !== undefined || existsSync('/dev/dri') || Boolean(process.env.CI);

const bin = (name: string): string => `node_modules/.bin/${name}`;
/** Weights, browsers and packages: more memory than others have, and each a core for itself. */
const heavyFolders = [
  'test/browser/',
  'test/e2e/',
  'test/examples/',
  'test/model/',
  'test/gguf/',
  'test/library/',
  'test/package/',
  'test/page/',
];
/** What measures times or memory beside a flood, and servers that compute on every processor. */
const aloneFiles = [
  'test/clients/',
  ...['adapters', 'hostile', 'lifecycle', 'long-texts', 'memory', 'neighbours', 'operator', 'overload'].map(inE2e),
  ...['paris', 'pipelines', 'reloads', 'tenants'].map(inE2e),
  'test/gguf/fuzz.test.ts',
  'test/model/kernel-choice.test.ts',
  'test/model/restarting.test.ts',
];
function inE2e(name: string): string {
  return `test/e2e/${name}.test.ts`;
}
const alone = (file: string): boolean => aloneFiles.some(path => file.startsWith(path));
const heavy = (file: string): boolean => !alone(file) && heavyFolders.some(folder => file.startsWith(folder));
const testFiles = globSync('test/**/*.test.ts').sort();

/** What a covered step must run of src, in percent: a little less than it does. Under the floor the step fails. */
const floor = { lines: 63, branches: 88, functions: 85 };
const coverageFlags = [
  '--experimental-test-coverage',
  // Files that no test loads count too.
  '--test-coverage-include-all',
  '--test-coverage-include=src/**',
  '--test-coverage-exclude=src/**/*.test.ts',
  // It runs in a browser: test/page/.
  '--test-coverage-exclude=src/page/**',
  // Without a GPU, or what stands for one, its tests are left out.
  ...(gpuTests ? [] : ['--test-coverage-exclude=src/backend/webgpu/**']),
  ...Object.entries(floor).map(([what, percent]) => `--test-coverage-${what}=${percent}`),
];

const steps: readonly Step[] = [
  // Format, rules and the order of imports.
  { kind: 'check', name: 'lint', command: [bin('biome'), 'check', '.'] },
  { kind: 'check', name: 'types', command: [process.execPath, 'scripts/types.ts'] },
  {
    ...{ kind: 'tests', name: 'unit', together: 2, covered: true, gpu: true },
    files: globSync('src/**/*.test.ts')
      .sort()
      .filter(file => gpuTests || !onGpu(file)),
  },
  {
    ...{ kind: 'tests', name: 'parts', together: 2 },
    files: testFiles.filter(file => !alone(file) && !heavy(file) && !onGpu(file)),
  },
  { kind: 'tests', name: 'gpu', files: gpuTests ? testFiles.filter(onGpu) : [], together: 2, gpu: true },
  { kind: 'tests', name: 'heavy', files: testFiles.filter(heavy), together: 2 },
  { kind: 'tests', name: 'alone', files: testFiles.filter(alone), together: 1 },
];

/** A test that hangs is a failure long before the whole run is given up. */
const testTimeoutMs = 240_000;

async function runStep(step: Step): Promise<Counts> {
  console.log(`\n== ${step.name}`);
  if (step.kind === 'check') {
    const { code } = await run(step.command);
    return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  }
  const flags = [
    '--test',
    '--test-reporter=spec',
    `--test-timeout=${testTimeoutMs}`,
    `--test-concurrency=${step.together}`,
    ...(step.covered ? coverageFlags : []),
  ];
  if (step.files.length === 0) {
    console.log('left out: there is no GPU, and no SwiftShader (Debian’s chromium) in its place');
    return { passed: 0, failed: 0 };
  }
  // Sources are compiled once for all files. What is covered is not taken from the cache: V8 would count less exactly.
  const cache = step.covered ? undefined : { NODE_COMPILE_CACHE: `${process.cwd()}/node_modules/.cache/tests` };
  const result = await run([process.execPath, ...flags, ...step.files], { ...(step.gpu && swiftShader), ...cache });
  if (step.covered) console.log(coverageLine(result.summary));
  return testCounts(result);
}

/** node:test sums coverage up in the last row of its table: lines, branches, functions. */
function coverageLine(summary: string): string {
  const [, lines, branches, functions] = /^ℹ all files +\| +([\d.]+) \| +([\d.]+) \| +([\d.]+)/m.exec(summary) ?? [];
  const least = Object.values(floor).join(', ');
  return `coverage: ${lines} % of lines, ${branches} % of branches, ${functions} % of functions; at least ${least}`;
}

/** node:test sums up with `ℹ pass N` and the like; a run without those lines, or one that failed without a failed test, is a failure. */
function testCounts({ code, summary }: Result): Counts {
  const count = (what: string): number => Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(summary)?.[1] ?? 0);
  const passed = count('pass');
  // In CI nothing may be left out unnoticed.
  const skipped = process.env.CI ? count('skipped') + count('todo') : 0;
  const failed = count('fail') + count('cancelled') + skipped;
  return { passed, failed: Math.max(failed, code === 0 && passed > 0 ? 0 : 1) };
}

interface Result {
  readonly code: number;
  /** The lines that node:test begins with ℹ. */
  readonly summary: string;
}

function run([command, ...args]: readonly string[], env?: Record<string, string>): Promise<Result> {
  return new Promise(resolve => {
    const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
    let summary = '';
    /** The table of coverage has a row for every file. */
    let inTable = false;
    createInterface({ input: child.stdout }).on('line', line => {
      if (line === 'ℹ start of coverage report') inTable = true;
      if (!inTable) console.log(line);
      if (line === 'ℹ end of coverage report') inTable = false;
      if (line.startsWith('ℹ ')) summary += `${line}\n`;
    });
    child.on('error', error => console.error(error.message));
    child.on('close', code => resolve({ code: code ?? 1, summary }));
  });
}

const chosen = process.argv.slice(2);
const unknown = chosen.filter(name => !steps.some(step => step.name === name));
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(', ')}. There are: ${steps.map(step => step.name).join(', ')}.`);
  process.exit(1);
}

const total: Counts = { passed: 0, failed: 0 };
for (const step of steps.filter(({ name }) => chosen.length === 0 || chosen.includes(name))) {
  const { passed, failed } = await runStep(step);
  total.passed += passed;
  total.failed += failed;
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
