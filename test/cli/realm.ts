import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const realmPath = fileURLToPath(new URL('../../bin/realm', import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly command?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
}

/** Runs bin/realm to its end. */
export function realm(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const { command = realmPath, cwd, env, input } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, REALM_DEBUG: '', ...env } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', code => resolve({ code, stdout, stderr }));
    // A command that ends without reading is no failure of the test.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
