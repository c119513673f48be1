import type { SQLInputValue } from 'node:sqlite';

/** What the thread with the file is asked. */
export type SqliteCall =
  | {
      readonly kind: 'query';
      readonly id: number;
      readonly sql: string;
      readonly parameters: readonly SQLInputValue[];
      /** A transaction begins with it. */
      readonly begins: boolean;
    }
  | { readonly kind: 'close'; readonly id: number };

/** What it answers; the first answer, number 0, says that the file is open. */
export interface SqliteAnswer {
  readonly id: number;
  readonly rows?: readonly object[];
  readonly changes?: bigint;
  readonly insertId?: bigint;
  readonly failure?: { readonly message: string; readonly errcode?: number | undefined };
}
