/** Texts between a program and the host, and what the host refuses. */
import * as host from './realm2';

/** What the host refuses ends the program, unless it asks for the code itself. */
export function check(code: i32): i32 {
  if (code < 0) {
    log(3, lastError());
    throw new Error('a call was refused');
  }
  return code;
}

export const TOO_SMALL = -3;

const noText = new ArrayBuffer(0);

export function bytesOf(text: string): ArrayBuffer {
  return text.length === 0 ? noText : String.UTF8.encode(text);
}

export const at = (bytes: ArrayBuffer): usize => changetype<usize>(bytes);

/** Room for the host's texts; grows when one does not fit. */
export let room = new ArrayBuffer(65536);

export function roomFor(length: i32): ArrayBuffer {
  if (length > room.byteLength) room = new ArrayBuffer(2 * length);
  return room;
}

export const textIn = (length: i32): string => String.UTF8.decodeUnsafe(at(room), length);

export function lastError(): string {
  return textIn(host.last_error(at(room), room.byteLength));
}

/** What a call that may be refused has written. */
export const roomText = (length: i32): string => textIn(check(length));

export function log(level: u32, text: string): void {
  const bytes = bytesOf(text);
  host.log(level, at(bytes), bytes.byteLength);
}
