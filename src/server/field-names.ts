import { RealmError } from '../errors.ts';

/** Beginnings of the names that Chat Completions has for fields, and what another API calls them. */
export type FieldNames = readonly (readonly [chat: RegExp, here: string])[];

/** A refusal in the words of the API by which the request came: it was made a chat before it was refused. */
export function renamed(error: RealmError, names: FieldNames): RealmError {
  const { code, message, param, retryAfter, headers, cause } = error;
  if (param === undefined) return error;
  const rename = (text: string) => {
    const found = names.find(([chat]) => chat.test(text));
    return found === undefined ? text : text.replace(found[0], found[1]);
  };
  const renamedMessage = message.split('; ').map(rename).join('; ');
  return new RealmError(code, renamedMessage, { param: rename(param), retryAfter, headers, cause });
}
