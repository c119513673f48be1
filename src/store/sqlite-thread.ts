/** The thread that holds the SQLite file: `node:sqlite` waits for the disk, and nobody else should. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { SqliteAnswer, SqliteCall } from './sqlite-messages.ts';

if (!parentPort) throw new Error('This file is a thread of its own');
const port = parentPort;
const { path, lock } = workerData as { path: string; lock: boolean };

/** Held until the process ends, in whatever way: the system gives it back. */
const held = lock && path !== ':memory:' ? lockOf(`${path}-lock`) : undefined;
const database = new DatabaseSync(path);
// FULL waits for the disk at each commit: what was answered is kept through a power cut.
database.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA busy_timeout = 5000;
`);

/** Texts of queries are few: builders make the same ones again. */
const statements = new Map<string, StatementSync>();
const mostStatements = 500;

port.on('message', (call: SqliteCall) => port.postMessage(answer(call)));
port.postMessage({ id: 0 } satisfies SqliteAnswer);

function answer(call: SqliteCall): SqliteAnswer {
  const { id } = call;
  try {
    if (call.kind === 'close') return close(id);
    // It never began, or SQLite has given it up itself: https://sqlite.org/lang_transaction.html
    if (call.sql === 'rollback' && !database.isTransaction) return { id };
    // Takes the right to write at once: a transaction that has read may not be refused it later.
    if (call.begins) prepared('begin immediate').run();
    const statement = prepared(call.sql);
    // Only what returns something has columns; `run` is for the rest.
    if (statement.columns().length > 0) return { id, rows: statement.all(...call.parameters) };
    const { changes, lastInsertRowid } = statement.run(...call.parameters);
    return { id, rows: [], changes: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    return { id, failure: { message, errcode } };
  }
}

function close(id: number): SqliteAnswer {
  statements.clear();
  database.close();
  held?.close();
  return { id };
}

function prepared(sql: string): StatementSync {
  let statement = statements.get(sql);
  if (statement === undefined) {
    if (statements.size >= mostStatements) statements.clear();
    statement = database.prepare(sql);
    statements.set(sql, statement);
  }
  return statement;
}

/** A second file is locked, so that other programs may still read and write the first. Throws SQLite's "locked". */
function lockOf(file: string): DatabaseSync {
  const lockFile = new DatabaseSync(file);
  lockFile.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  return lockFile;
}
