import { allowedFile } from '../../tenancy/folders.ts';
import { readBody } from '../body.ts';
import type { Route } from '../route.ts';
import { baseModel } from '../services.ts';

/** vLLM's two routes. */
export const loadAdapterRoute: Route = {
  method: 'POST',
  path: '/v1/load_lora_adapter',
  summary: 'Loads an adapter',
  body: 'loadAdapter',
  admin: true,
  async handle(context) {
    const { services } = context.var;
    const { lora_name: id, lora_path: path, model: wanted, tenants } = await readBody(context, 'loadAdapter');
    const base = baseModel(services, wanted);
    // A file of this machine, also when it looks like a URL.
    const file = await allowedFile(path, services.folders);
    const { created } = await services.adapters.load(base, { id, path: file, tenants });
    services.logger.log('info', 'adapter loaded', { adapter: id, model: base.model.id });
    return context.json({ id, object: 'model', created, owned_by: 'realm', parent: base.model.id });
  },
};

export const unloadAdapterRoute: Route = {
  method: 'POST',
  path: '/v1/unload_lora_adapter',
  summary: 'Unloads an adapter',
  body: 'unloadAdapter',
  admin: true,
  async handle(context) {
    const { services } = context.var;
    const { lora_name: id } = await readBody(context, 'unloadAdapter');
    await services.adapters.unload(id);
    services.logger.log('info', 'adapter unloaded', { adapter: id });
    return context.json({ id, object: 'model', deleted: true });
  },
};
