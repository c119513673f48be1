import { createHash, randomBytes } from 'node:crypto';

/**
 * An API key is `realm_`, 256 random bits in hex and 8 hex digits of checksum (so that a scanner, or a person who lost
 * a character, can tell without asking a server). What is stored is its SHA-256: a slow password hash protects guessable
 * secrets, and 256 random bits cannot be guessed, so it would only make each request slow.
 */
const prefix = 'realm_';
const secretPattern = /^realm_([0-9a-f]{64})([0-9a-f]{8})$/;

/** The form of a stored key in `realm.yaml`. */
export const hashPattern = /^sha256:[0-9a-f]{64}$/;

export interface NewKey {
  /** Shown once, never stored. */
  readonly key: string;
  /** What `tenants[].keys` holds. */
  readonly hash: string;
  /** The hash as a line of `realm.yaml`, with a comment that says whose it is. */
  readonly line: string;
}

export function createKey(tenant: string): NewKey {
  const secret = randomBytes(32).toString('hex');
  const key = prefix + secret + checksum(secret);
  const hash = hashKey(key);
  return { key, hash, line: `- ${hash} # ${tenant}, ${new Date().toISOString().slice(0, 10)}` };
}

export function hashKey(key: string): string {
  return `sha256:${sha256(key).toString('hex')}`;
}

/** Whether `key` has the form and the checksum of a key that {@link createKey} made. */
export function isWellFormed(key: string): boolean {
  const [, secret, written] = secretPattern.exec(key) ?? [];
  return secret !== undefined && checksum(secret) === written;
}

/** A new public id: what logs, errors and the ledger call a key. */
export function newKeyId(): string {
  return keyId(randomBytes(8));
}

/** The public id of a key that has only its hash: always the same, and it tells nothing of the hash. */
export function keyIdOf(hash: string): string {
  return keyId(sha256(hash));
}

const letters = 'abcdefghijklmnopqrstuvwxyz234567';

/** 60 bits in base32. */
function keyId(bytes: Uint8Array): string {
  let bits = Buffer.from(bytes).readBigUInt64BE();
  let id = 'key_';
  for (let i = 0; i < 12; i++, bits >>= 5n) id += letters[Number(bits & 31n)];
  return id;
}

export const isKeyId = (text: string): boolean => /^key_[a-z2-7]{12}$/.test(text);

const writtenKeys = /\b(?:realm_[0-9a-f]{8,}|sk-[\w-]{16,})/g;

/** The text without what looks like a key: people put them into URLs, models' names and texts. */
export function withoutKeys(text: string): string {
  return text.replace(writtenKeys, '[key]');
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function checksum(secret: string): string {
  return sha256(secret).toString('hex').slice(0, 8);
}
