import { z } from 'zod';
import { logLevel, share } from '../tenancy/schema.ts';

/** What is left out stays as it is. */
export const logsSchema = z.strictObject({ level: logLevel.optional(), sample: share.optional() });
