import { allowedFile } from '../../tenancy/folders.ts';
import { tenantDefaults } from '../../tenancy/tenants.ts';
import { readBody } from '../body.ts';
import type { Route } from '../route.ts';
import { baseModel, holdModel } from '../services.ts';

/** vLLM's two routes. */
export const loadAdapterRoute: Route = {
  method: 'POST',
  path: '/v1/load_lora_adapter',
  summary: 'Loads an adapter',
  body: 'loadAdapter',
  admin: true,
  async handle(context) {
    const { services, exchange } = context.var;
    const { lora_name: id, lora_path: path, model: wanted, tenants } = await readBody(context, 'loadAdapter');
    const base = baseModel(services, wanted);
    // A file of this machine, also when it looks like a URL.
    const file = await allowedFile(path, services.folders);
    const model = await holdModel(services, exchange, tenantDefaults, base);
    const adapter = { id, path: file, tenants };
    const { created } = await services.adapters.load(base.modelId, model, adapter);
    services.logger.log('info', 'adapter loaded', { adapter: id, model: base.id });
    return context.json({ id, object: 'model', created, owned_by: 'realm', parent: base.id });
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
    const slot = services.models.at(services.adapters.modelOf(id));
    // It must not go meanwhile.
    const lease = slot && services.models.take(slot);
    await services.adapters.unload(id, lease?.model).finally(lease?.release);
    services.logger.log('info', 'adapter unloaded', { adapter: id });
    return context.json({ id, object: 'model', deleted: true });
  },
};
