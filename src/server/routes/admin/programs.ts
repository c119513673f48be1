import { RealmError } from '../../../errors.ts';
import { noteSchema, type PushProgram } from '../../../programs/operator-schema.ts';
import { MAX_MODULE_BYTES } from '../../../sandbox/limits.ts';
import { readBody, uploadFailed } from '../../body.ts';
import type { AppContext, Route } from '../../route.ts';
import { actorOf } from './operator.ts';

const path = '/admin/v1/programs';

/** The largest module in base64, and what else is said. */
const bodyBytes = Math.ceil((MAX_MODULE_BYTES * 4) / 3) + 65_536;

const query = { tenant: 'Whose it is; absent: it is for all tenants' };

const operatorOf = (context: AppContext) => context.var.services.programOperator(actorOf(context));
const tenantOf = (context: AppContext): string | null => context.req.query('tenant') ?? null;
const nameOf = (context: AppContext): string => context.req.param('name') ?? '';

export const programRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    summary: 'Programs that were uploaded',
    query: { tenant: "Whose; absent: the operator's, which are for all; *: everybody's" },
    admin: true,
    handle: async context => context.json({ data: await operatorOf(context).programs(tenantOf(context)) }),
  },
  {
    method: 'POST',
    path,
    summary: 'Uploads a program under a new name',
    body: 'createProgram',
    bodyBytes,
    query,
    admin: true,
    async handle(context) {
      const { name, ...body } = await readBody(context, 'createProgram');
      return context.json(await operatorOf(context).pushProgram(tenantOf(context), name, body, true));
    },
  },
  {
    method: 'GET',
    path: `${path}/:name`,
    summary: 'A program with its versions',
    query,
    admin: true,
    handle: async context => context.json(await operatorOf(context).program(tenantOf(context), nameOf(context))),
  },
  {
    method: 'PUT',
    path: `${path}/:name`,
    summary: 'Uploads a new version of a program, or its first',
    body: 'pushProgram',
    bodyBytes,
    bytes: 'application/wasm',
    query: { ...query, note: 'For people; of a body that is the module itself' },
    admin: true,
    async handle(context) {
      const body = await readPush(context);
      return context.json(await operatorOf(context).pushProgram(tenantOf(context), nameOf(context), body));
    },
  },
  {
    method: 'POST',
    path: `${path}/:name/rollback`,
    summary: 'Makes an earlier version of a program the current one',
    body: 'rollbackProgram',
    query,
    admin: true,
    async handle(context) {
      const { version } = await readBody(context, 'rollbackProgram');
      return context.json(await operatorOf(context).rollbackProgram(tenantOf(context), nameOf(context), version));
    },
  },
  {
    method: 'DELETE',
    path: `${path}/:name`,
    summary: 'Deletes a program, or one of its versions',
    query: { ...query, version: 'Of this version only; absent: all of it' },
    admin: true,
    async handle(context) {
      const [name, version] = [nameOf(context), versionOf(context)];
      await operatorOf(context).deleteProgram(tenantOf(context), name, version);
      return context.json({
        name,
        tenant: tenantOf(context),
        ...(version !== undefined && { version }),
        deleted: true,
      });
    },
  },
];

/** The module itself, or JSON with it. */
async function readPush(context: AppContext): Promise<PushProgram> {
  const [type] = (context.req.header('content-type') ?? '').split(';');
  if (type?.trim().toLowerCase() !== 'application/wasm') return readBody(context, 'pushProgram');
  const note = noteSchema.optional().safeParse(context.req.query('note'));
  if (!note.success)
    throw new RealmError('invalid_request', 'note: must have at most 1000 characters', { param: 'note' });
  return { module: new Uint8Array(await context.req.arrayBuffer().catch(uploadFailed)), note: note.data };
}

function versionOf(context: AppContext): number | undefined {
  const text = context.req.query('version');
  if (text === undefined || /^[1-9]\d{0,8}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new RealmError('invalid_request', 'version: must be the number of a version', { param: 'version' });
}
