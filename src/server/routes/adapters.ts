import { z } from 'zod';
import { allowedFile } from '../../tenancy/folders.ts';
import { modelName, name } from '../../tenancy/schema.ts';
import { readBody } from '../body.ts';
import { optional } from '../fields.ts';
import type { Route } from '../route.ts';
import { baseModel } from '../services.ts';

/** vLLM's two routes, with its names of the fields; `model` when there are several, `tenants` to reserve an adapter. */
const loadSchema = z.object({
  lora_name: modelName,
  lora_path: z.string().min(1),
  model: optional(z.string()),
  tenants: optional(z.array(name).min(1)),
});

export const loadAdapterRoute: Route = {
  method: 'POST',
  path: '/v1/load_lora_adapter',
  admin: true,
  async handle(context) {
    const { services } = context.var;
    const { lora_name: id, lora_path: path, model: wanted, tenants } = await readBody(context.req, loadSchema);
    const modelId = baseModel(services, wanted);
    // A file of this machine, also when it looks like a URL.
    const file = await allowedFile(path, services.folders);
    const { created } = await services.adapters.load(modelId, { id, path: file, tenants });
    services.logger.log('info', 'adapter loaded', { adapter: id, model: services.models[modelId].id });
    return context.json({ id, object: 'model', created, owned_by: 'realm', parent: services.models[modelId].id });
  },
};

export const unloadAdapterRoute: Route = {
  method: 'POST',
  path: '/v1/unload_lora_adapter',
  admin: true,
  async handle(context) {
    const { services } = context.var;
    const { lora_name: id } = await readBody(context.req, z.object({ lora_name: z.string() }));
    await services.adapters.unload(id);
    services.logger.log('info', 'adapter unloaded', { adapter: id });
    return context.json({ id, object: 'model', deleted: true });
  },
};
