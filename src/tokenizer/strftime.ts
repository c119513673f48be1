const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** The date in a format of C's strftime, in English and UTC; a directive that is not known stays as it is. */
export function strftime(format: string, date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const directives: Record<string, string> = {
    Y: String(date.getUTCFullYear()),
    y: two(date.getUTCFullYear() % 100),
    m: two(date.getUTCMonth() + 1),
    d: two(date.getUTCDate()),
    e: String(date.getUTCDate()).padStart(2),
    H: two(date.getUTCHours()),
    M: two(date.getUTCMinutes()),
    S: two(date.getUTCSeconds()),
    A: DAYS[date.getUTCDay()],
    a: DAYS[date.getUTCDay()].slice(0, 3),
    B: MONTHS[date.getUTCMonth()],
    b: MONTHS[date.getUTCMonth()].slice(0, 3),
    '%': '%',
  };
  return format.replace(/%([A-Za-z%])/g, (whole, directive: string) => directives[directive] ?? whole);
}
