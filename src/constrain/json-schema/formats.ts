/** What `format` means, as regular expressions over the whole text; RFC 3339, 4122, 5321, 3986 and their like. */
const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const ipv4 = `(?:${octet}\\.){3}${octet}`;
const date =
  '(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))' +
  '|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)';
const time = '(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?(?:[zZ]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])';
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const hostname = `${label}(?:\\.${label})*`;
const atext = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+";
const group = '[0-9a-fA-F]{1,4}';
const lastTwo = `(?:${group}:${group}|${ipv4})`;
const ipv6 = [
  `(?:${group}:){6}${lastTwo}`,
  `::(?:${group}:){5}${lastTwo}`,
  `(?:${group})?::(?:${group}:){4}${lastTwo}`,
  `(?:(?:${group}:){0,1}${group})?::(?:${group}:){3}${lastTwo}`,
  `(?:(?:${group}:){0,2}${group})?::(?:${group}:){2}${lastTwo}`,
  `(?:(?:${group}:){0,3}${group})?::${group}:${lastTwo}`,
  `(?:(?:${group}:){0,4}${group})?::${lastTwo}`,
  `(?:(?:${group}:){0,5}${group})?::${group}`,
  `(?:(?:${group}:){0,6}${group})?::`,
].join('|');
const pct = '%[0-9a-fA-F]{2}';
const pchar = `(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|${pct})`;
const authority =
  `(?:(?:[a-zA-Z0-9._~!$&'()*+,;=:-]|${pct})*@)?` +
  `(?:\\[(?:${ipv6}|v[0-9a-fA-F]+\\.[a-zA-Z0-9._~!$&'()*+,;=:-]+)\\]|(?:[a-zA-Z0-9._~!$&'()*+,;=-]|${pct})*)(?::[0-9]*)?`;
const suffix = `(?:\\?(?:${pchar}|[/?])*)?(?:#(?:${pchar}|[/?])*)?`;
const absolute = `/(?:${pchar}+(?:/${pchar}*)*)?`;
const uri = `[a-zA-Z][a-zA-Z0-9+.-]*:(?://${authority}(?:/${pchar}*)*|${absolute}|${pchar}+(?:/${pchar}*)*|)${suffix}`;
const noColon = `(?:[a-zA-Z0-9._~!$&'()*+,;=@-]|${pct})`;
const relative = `(?://${authority}(?:/${pchar}*)*|${absolute}|${noColon}+(?:/${pchar}*)*|)${suffix}`;
const pointer = '(?:/(?:[^~/]|~[01])*)*';
const days = '[0-9]+D';
const months = `[0-9]+M(?:${days})?`;
const seconds = '[0-9]+S';
const minutes = `[0-9]+M(?:${seconds})?`;
const timeSpan = `T(?:[0-9]+H(?:${minutes})?|${minutes}|${seconds})`;
const dateSpan = `(?:[0-9]+Y(?:${months})?|${months}|${days})`;

const patterns: Readonly<Record<string, string>> = {
  date,
  time,
  'date-time': `${date}[tT]${time}`,
  duration: `P(?:${dateSpan}(?:${timeSpan})?|${timeSpan}|[0-9]+W)`,
  email: `${atext}(?:\\.${atext})*@(?:${hostname}|\\[${ipv4}\\])`,
  hostname,
  ipv4,
  ipv6,
  uuid: '[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}',
  uri,
  'uri-reference': `(?:${uri}|${relative})`,
  'json-pointer': pointer,
  'relative-json-pointer': `(?:0|[1-9][0-9]*)(?:#|${pointer})`,
};

/** Formats of OpenAPI that say how a number or bytes are held, not which texts are allowed. */
export const annotations = new Set(['int32', 'int64', 'float', 'double', 'password', 'byte', 'binary', 'unknown']);

/** A regular expression over the whole text; undefined for a format that is not known. */
export function formatPattern(format: string): string | undefined {
  return Object.hasOwn(patterns, format) ? `^(?:${patterns[format]})$` : undefined;
}
