/** As much of JSON as programs need: finding a field, quoting a text, how far a text is JSON. */

/** Where the value at `at` ends; -1 - i when it is none from i on, or breaks off there. */
export function endOfValue(json: string, at: i32): i32 {
  at = skipSpace(json, at);
  if (at >= json.length) return -1 - at;
  const c = json.charCodeAt(at);
  if (c === 0x22) return endOfString(json, at);
  if (c === 0x7b) return endOfList(json, at + 1, 0x7d, true);
  if (c === 0x5b) return endOfList(json, at + 1, 0x5d, false);
  return c === 0x2d || isDigit(c) ? endOfNumber(json, at) : endOfWord(json, at);
}

function endOfWord(json: string, at: i32): i32 {
  const words: string[] = ['true', 'false', 'null'];
  let reached = at;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    let n = 0;
    while (n < word.length && at + n < json.length && json.charCodeAt(at + n) === word.charCodeAt(n)) n++;
    if (n === word.length) return at + n;
    if (at + n > reached) reached = at + n;
  }
  return -1 - reached;
}

function endOfNumber(json: string, at: i32): i32 {
  const from = at;
  if (json.charCodeAt(at) === 0x2d) at++;
  const digits = at;
  while (at < json.length && isDigit(json.charCodeAt(at))) at++;
  if (at === digits) return -1 - at;
  if (at - digits > 1 && json.charCodeAt(digits) === 0x30) return -1 - (digits + 1);
  while (at < json.length) {
    const c = json.charCodeAt(at);
    if (!isDigit(c) && c !== 0x2e && c !== 0x65 && c !== 0x45 && c !== 0x2b && c !== 0x2d) break;
    at++;
  }
  return isDigit(json.charCodeAt(at - 1)) ? at : -1 - from;
}

function endOfString(json: string, at: i32): i32 {
  for (let i = at + 1; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === 0x22) return i + 1;
    if (c < 0x20) return -1 - i;
    if (c === 0x5c) i++;
  }
  return -1 - json.length;
}

function endOfList(json: string, at: i32, close: i32, named: bool): i32 {
  at = skipSpace(json, at);
  if (at < json.length && json.charCodeAt(at) === close) return at + 1;
  while (true) {
    if (named) {
      at = skipSpace(json, at);
      if (at >= json.length || json.charCodeAt(at) !== 0x22) return -1 - at;
      at = endOfString(json, at);
      if (at < 0) return at;
      at = skipSpace(json, at);
      if (at >= json.length || json.charCodeAt(at) !== 0x3a) return -1 - at;
      at++;
    }
    at = endOfValue(json, at);
    if (at < 0) return at;
    at = skipSpace(json, at);
    if (at >= json.length) return -1 - at;
    const c = json.charCodeAt(at);
    if (c === close) return at + 1;
    if (c !== 0x2c) return -1 - at;
    at++;
  }
}

export function skipSpace(json: string, at: i32): i32 {
  while (at < json.length && json.charCodeAt(at) <= 0x20) at++;
  return at;
}

const isDigit = (c: i32): bool => c >= 0x30 && c <= 0x39;

/** How many characters may begin a JSON value; all of them when it is one. */
export function validLength(json: string): i32 {
  const end = endOfValue(json, 0);
  return end < 0 ? -1 - end : end;
}

export function isJson(json: string): bool {
  const end = endOfValue(json, 0);
  return end >= 0 && skipSpace(json, end) === json.length;
}

/** The value of an object's field as it is written; empty: there is none. */
export function field(json: string, name: string): string {
  const quoted = quote(name);
  let at = skipSpace(json, 0) + 1;
  while (true) {
    at = skipSpace(json, at);
    const end = endOfValue(json, at);
    if (end < 0) return '';
    const key = json.substring(at, end);
    const from = skipSpace(json, skipSpace(json, end) + 1);
    at = endOfValue(json, from);
    if (at < 0) return '';
    if (key === quoted) return json.substring(from, at);
    at = skipSpace(json, at);
    if (at >= json.length || json.charCodeAt(at) !== 0x2c) return '';
    at++;
  }
}

/** The elements of an array as they are written. */
export function elements(json: string): string[] {
  const list: string[] = [];
  let at = skipSpace(json, 0) + 1;
  while (true) {
    at = skipSpace(json, at);
    const end = endOfValue(json, at);
    if (end < 0) return list;
    list.push(json.substring(at, end));
    at = skipSpace(json, end);
    if (at >= json.length || json.charCodeAt(at) !== 0x2c) return list;
    at++;
  }
}

/** The text of a JSON string; anything else as it is written. */
export function textOf(json: string): string {
  if (json.length < 2 || json.charCodeAt(0) !== 0x22) return json;
  let text = '';
  for (let i = 1; i < json.length - 1; i++) {
    const c = json.charCodeAt(i);
    if (c !== 0x5c) {
      text += String.fromCharCode(c);
      continue;
    }
    const escaped = json.charCodeAt(++i);
    if (escaped === 0x75) {
      text += String.fromCharCode(<i32>parseInt(json.substring(i + 1, i + 5), 16));
      i += 4;
    } else if (escaped === 0x6e) text += '\n';
    else if (escaped === 0x74) text += '\t';
    else if (escaped === 0x72) text += '\r';
    else if (escaped === 0x62) text += '\b';
    else if (escaped === 0x66) text += '\f';
    else text += String.fromCharCode(escaped);
  }
  return text;
}

/** A text as a JSON string. */
export function quote(text: string): string {
  let json = '"';
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22 || c === 0x5c) json += '\\' + String.fromCharCode(c);
    else if (c === 0x0a) json += '\\n';
    else if (c < 0x20) json += '\\u00' + (c < 0x10 ? '0' : '') + c.toString(16);
    else json += String.fromCharCode(c);
  }
  return json + '"';
}
