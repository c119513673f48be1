import { isModelName } from '../../../catalog/resolve.ts';
import { RealmError } from '../../../errors.ts';
import { readBody } from '../../body.ts';
import { reportError } from '../../errors.ts';
import { addModel, changeModel, removeModel } from '../../model-changes.ts';
import { modelEvents, modelEventWriter } from '../../model-events.ts';
import type { ModelSlot } from '../../model-slot.ts';
import { modelStatus } from '../../model-status.ts';
import type { AppContext, Route } from '../../route.ts';
import { streamResponse } from '../../sse.ts';
import { unlessAborted } from '../../waiting.ts';

const list: Route = {
  method: 'GET',
  path: '/admin/v1/models',
  summary: 'Models, and which are loaded',
  admin: true,
  async handle(context) {
    return context.json({ data: await Promise.all(context.var.services.models.all.map(modelStatus)) });
  },
};

const add: Route = {
  method: 'POST',
  path: '/admin/v1/models',
  summary: 'Adds a model, as an entry of models in realm.yaml',
  body: 'addModel',
  admin: true,
  async handle(context) {
    const { services } = context.var;
    const document = await readBody(context, 'addModel');
    await checkCatalog(document.catalog);
    const slot = await addModel(services, { document, base: process.cwd() });
    await note(context, 'added', slot);
    return context.json(await modelStatus(slot));
  },
};

const events: Route = {
  method: 'GET',
  path: '/admin/v1/models/events',
  summary: 'Changes of models, as server-sent events',
  admin: true,
  handle(context) {
    const { services, exchange } = context.var;
    exchange.endless = true;
    exchange.noteSubmitted();
    const changes = modelEvents(services.models, exchange.signal);
    const report = (error: RealmError) => reportError(services, exchange, error);
    return streamResponse(exchange, changes, modelEventWriter, report, services.http.heartbeatMs);
  },
};

/** Answers when it is loaded; the loading goes on if the client leaves. */
const load: Route = {
  method: 'POST',
  path: '/admin/v1/models/:id{.+}/load',
  summary: 'Loads a model',
  admin: true,
  async handle(context) {
    const { services, exchange } = context.var;
    const slot = slotOf(context);
    await note(context, 'loaded', slot);
    await unlessAborted(services.models.load(slot), exchange.signal);
    return context.json(await modelStatus(slot));
  },
};

/** Answers when the requests that have it have ended. */
const unload: Route = {
  method: 'POST',
  path: '/admin/v1/models/:id{.+}/unload',
  summary: 'Unloads a model',
  admin: true,
  async handle(context) {
    const { services, exchange } = context.var;
    const slot = slotOf(context);
    await note(context, 'unloaded', slot);
    await unlessAborted(services.models.unload(slot), exchange.signal);
    return context.json(await modelStatus(slot));
  },
};

const change: Route = {
  method: 'PATCH',
  path: '/admin/v1/models/:id{.+}',
  summary: 'Changes what a model is called and how long it stays',
  body: 'changeModel',
  admin: true,
  async handle(context) {
    const slot = slotOf(context);
    const wanted = await readBody(context, 'changeModel');
    await changeModel(context.var.services, slot, wanted);
    await note(context, 'changed', slot, wanted);
    return context.json(await modelStatus(slot));
  },
};

const remove: Route = {
  method: 'DELETE',
  path: '/admin/v1/models/:id{.+}',
  summary: 'Removes a model that was added here',
  admin: true,
  async handle(context) {
    const { services, exchange } = context.var;
    const slot = slotOf(context);
    const removing = await removeModel(services, slot);
    await note(context, 'removed', slot);
    await unlessAborted(removing.ended, exchange.signal);
    return context.json({ id: slot.id, deleted: true });
  },
};

function slotOf(context: AppContext): ModelSlot {
  const { models } = context.var.services;
  const id = context.req.param('id') ?? '';
  const slot = models.find(id);
  if (slot) return slot;
  const known = models.all.map(each => each.id).join(', ');
  throw new RealmError('model_not_found', `There is no model ${JSON.stringify(id)}; models here: ${known}`);
}

/** A path is given as `path`, which must lie within `server.folders`. */
async function checkCatalog(name: string | undefined): Promise<void> {
  if (name === undefined || (await isModelName(name))) return;
  const message = `catalog: there is no model ${JSON.stringify(name)}; \`realm models\` lists them`;
  throw new RealmError('invalid_request', message, { param: 'catalog' });
}

async function note(
  { var: { services, exchange } }: AppContext,
  what: string,
  { id }: ModelSlot,
  detail: object = {},
): Promise<void> {
  const entry = { actor: exchange.keyId ?? 'local', action: `model.${what}`, target: id, detail };
  await services.audit.note(entry);
  services.logger.log('info', 'models changed', { action: entry.action, model: id, actor: entry.actor });
}

export const modelAdminRoutes: readonly Route[] = [list, events, add, load, unload, change, remove];
