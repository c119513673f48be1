import { z } from 'zod';
import { modelSchema, modelSettings } from '../tenancy/schema.ts';

/** `POST /admin/v1/models`: an entry of `models` in `realm.yaml`. What it gives must be easy to hand over to another thread. */
export const addModelSchema = modelSchema;

/** `PATCH /admin/v1/models/{id}`. */
export const changeModelSchema = z.strictObject({
  ...modelSettings,
  /** null: it stays for ever. */
  idle_seconds: modelSettings.idle_seconds.nullable(),
});
