/** How Realm was called: `realm` where the shell finds it by that name, `bin/realm` in a checkout (bin/realm says it). */
export const commandName = process.env.REALM_COMMAND || 'realm';

/** A text with commands in it (behind `$ ` or a backquote), as they are to be typed here. */
export function asTyped(text: string, name = commandName): string {
  return text.replace(/(?<=(?:\$|\|) |`)realm(?= )/g, () => name);
}
