import { type Figure, number, ratioFigure, type Setup } from './figures.ts';
import { prompt } from './prompts.ts';
import { load, type RealmServer, startRealm } from './servers.ts';

/** Resident memory, without the pages of the KV cache in use, after sixteen tenants were served at once and after one was. */
export async function memory({ model, tokenizer, promptTokens }: Setup): Promise<Figure[]> {
  const resident = async (tenants: number): Promise<number> => {
    const server = await startRealm({ model, tenants, ends: tokenizer.endOfGeneration });
    try {
      const jobs = (tenant: number) =>
        [0, 1, 2].map(i => server.job(tenant, prompt(tokenizer, promptTokens, 10 * tenant + i), 32));
      await load(Array.from({ length: tenants }, (_, tenant) => ({ jobs: jobs(tenant) })));
      return server.memory() - (await cacheInUse(server));
    } finally {
      await server.stop();
    }
  };
  const [one, many] = [await resident(1), await resident(16)];
  const megabytes = `${number(many / 1e6)} / ${number(one / 1e6)} MB`;
  return [ratioFigure('16 tenants to one: resident memory without KV', [many / one], { most: 1.05 }, megabytes)];
}

async function cacheInUse(server: RealmServer): Promise<number> {
  const bytes = await server.metric('realm_model_memory_bytes', '[^}]*kind="kvCache"[^}]*');
  const [used, total] = [await server.metric('realm_kv_pages_used'), await server.metric('realm_kv_pages')];
  return (bytes * used) / total;
}
