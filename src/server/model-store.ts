import type { ModelId } from '../sandbox/model-id.ts';
import type { Store } from '../store/open.ts';
import type { ModelDocument } from '../tenancy/schema.ts';
import { firstOwnNumber } from './model-registry.ts';

export interface WrittenModel {
  /** An entry of `models` as in `realm.yaml`. */
  readonly document: ModelDocument;
  /** Its paths are relative to this. */
  readonly base: string;
}

export interface StoredModel extends WrittenModel {
  readonly number: ModelId;
}

/** Models that operators name while a server runs, kept for the next one. */
export class ModelStore {
  readonly #db: Store['db'];

  constructor({ db }: Pick<Store, 'db'>) {
    this.#db = db;
  }

  async list(): Promise<StoredModel[]> {
    const rows = await this.#db
      .selectFrom('served_models')
      .select(['number', 'document'])
      .where('removed_at', 'is', null)
      .orderBy('number')
      .execute();
    return rows.map(({ number, document }) => ({ number: number as ModelId, ...JSON.parse(document) }));
  }

  /** Gives it a number that no model has had. */
  async add({ document, base }: WrittenModel): Promise<ModelId> {
    const { id } = document;
    const row = await this.#db
      .insertInto('served_models')
      .columns(['number', 'id', 'document', 'created_at'])
      .expression(from =>
        from
          .selectFrom('served_models')
          .select(({ fn, val, eb }) => [
            eb(fn.coalesce(fn.max('number'), val(firstOwnNumber - 1)), '+', 1).as('number'),
            eb.cast<string>(val(id), 'text').as('id'),
            eb.cast<string>(val(JSON.stringify({ document, base })), 'text').as('document'),
            eb.cast<number>(val(Date.now()), 'bigint').as('created_at'),
          ]),
      )
      .returning('number')
      .executeTakeFirstOrThrow();
    return Number(row.number) as ModelId;
  }

  async change({ number, document, base }: StoredModel): Promise<void> {
    const changed = { document: JSON.stringify({ document, base }) };
    await this.#db.updateTable('served_models').set(changed).where('number', '=', number).execute();
  }

  async remove(number: ModelId): Promise<void> {
    const removed = { removed_at: Date.now() };
    await this.#db.updateTable('served_models').set(removed).where('number', '=', number).execute();
  }
}
