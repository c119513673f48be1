import { z } from 'zod';
import { MAX_MODULE_BYTES } from '../sandbox/limits.ts';
import { programName } from '../tenancy/program-ref.ts';

/** What an operator says of programs, over HTTP and on the command line. */

/** For people. */
export const noteSchema = z.string().max(1000);

const tooLong = `is longer than the ${MAX_MODULE_BYTES} bytes that a program may have`;

/** A module's bytes. Whether they are a program is for the sandbox to say. */
const base64 = z.string().transform((text, context): Uint8Array => {
  const bytes = Buffer.from(text, 'base64');
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (bytes.length > MAX_MODULE_BYTES) return refuse(tooLong);
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : refuse('must be a .wasm file in base64');
});

const version = z.int().min(1).max(1e9);

const newVersion = { module: base64, note: noteSchema.optional() };

export const createProgramSchema = z.strictObject({ name: programName, ...newVersion });
export const pushProgramSchema = z.strictObject(newVersion);
export const rollbackProgramSchema = z.strictObject({ version });

export type PushProgram = z.output<typeof pushProgramSchema>;
