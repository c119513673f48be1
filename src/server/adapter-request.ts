import { z } from 'zod';
import { modelName, name } from '../tenancy/schema.ts';
import { optional } from './fields.ts';

/** vLLM's names of the fields; `model` when there are several, `tenants` to reserve an adapter. */
export const loadAdapterSchema = z.object({
  lora_name: modelName,
  lora_path: z.string().min(1),
  model: optional(z.string()),
  tenants: optional(z.array(name).min(1)),
});

export const unloadAdapterSchema = z.object({ lora_name: z.string() });
