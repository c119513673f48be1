import { z } from 'zod';
import { isAddressRange } from './addresses.ts';
import { programRef } from './program-ref.ts';
import { budgetSchema, tenantFields as fileTenantFields, modelName, name, rateSchema } from './schema.ts';
import { scopes } from './tenants.ts';

/** What an operator says of tenants and keys, over HTTP and on the command line. */

const years = 100 * 366 * 86_400;

/** In a change, null takes a field away. */
function changeable<S extends z.ZodRawShape>(shape: S) {
  const entries = Object.entries(shape).map(([key, schema]) => [key, (schema as z.ZodType).nullish()]);
  return Object.fromEntries(entries) as { [K in keyof S]: z.ZodOptional<z.ZodNullable<S[K]>> };
}

/** A program that was uploaded or comes with Realm; files are named in `realm.yaml` alone. */
const tenantFields = { program: programRef.optional(), ...fileTenantFields };

export const createTenantSchema = z.strictObject({
  id: name,
  disabled: z.boolean().optional(),
  ...tenantFields,
});

export const updateTenantSchema = z.strictObject({
  disabled: z.boolean().optional(),
  ...changeable(tenantFields),
});

const keyFields = {
  /** For people. */
  name: z.string().min(1).max(200).optional(),
  scopes: z.array(z.enum(scopes)).min(1).optional(),
  /** That it may use; absent: all of its tenant's. */
  models: z.array(modelName).optional(),
  adapters: z.array(modelName).optional(),
  addresses: z
    .array(
      z.string().refine(isAddressRange, { error: 'must be an address, or a range as 10.0.0.0/8 or 2001:db8::/32' }),
    )
    .min(1)
    .optional(),
  budgets: z.array(budgetSchema).optional(),
  rate: rateSchema.optional(),
};

const expiry = z.iso
  .datetime({ offset: true, error: 'must be a time as 2027-01-31T00:00:00Z' })
  .transform(text => Date.parse(text))
  .optional();

export const createKeySchema = z.strictObject({ ...keyFields, expires_at: expiry.nullish() });

export const updateKeySchema = z.strictObject({ ...changeable(keyFields), expires_at: expiry.nullish() });

export const rotateKeySchema = z.strictObject({
  /** For which the old key works too. */
  overlap_seconds: z.int().min(0).max(years).default(0),
});

type Written<S extends z.ZodType, Other extends string> = {
  [K in keyof Omit<z.output<S>, Other>]: NonNullable<z.output<S>[K & keyof z.output<S>]> | undefined;
};

export type CreateTenant = z.output<typeof createTenantSchema>;
export type UpdateTenant = z.output<typeof updateTenantSchema>;
export type CreateKey = z.output<typeof createKeySchema>;
export type UpdateKey = z.output<typeof updateKeySchema>;
/** What is kept of a key beside its times. */
export type KeyDocument = Partial<Written<typeof createKeySchema, 'expires_at'>>;
