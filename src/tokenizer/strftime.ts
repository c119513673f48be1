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

/** The date in a format of C's strftime, in English and UTC; `-` leaves out the padding; a directive that is not known stays as it is. */
export function strftime(format: string, date: Date): string {
  const day = DAYS[date.getUTCDay()] ?? '';
  const month = MONTHS[date.getUTCMonth()] ?? '';
  const two = (value: number) => String(value).padStart(2, '0');
  const directives: Record<string, string> = {
    Y: String(date.getUTCFullYear()),
    y: two(date.getUTCFullYear() % 100),
    m: two(date.getUTCMonth() + 1),
    d: two(date.getUTCDate()),
    e: String(date.getUTCDate()).padStart(2),
    j: String(Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1).padStart(3, '0'),
    H: two(date.getUTCHours()),
    I: two(date.getUTCHours() % 12 || 12),
    p: date.getUTCHours() < 12 ? 'AM' : 'PM',
    M: two(date.getUTCMinutes()),
    S: two(date.getUTCSeconds()),
    A: day,
    a: day.slice(0, 3),
    B: month,
    b: month.slice(0, 3),
    '%': '%',
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, short: string, directive: string) => {
    const written = directives[directive] ?? whole;
    return short ? written.replace(/^[0 ]+(?=\d)/, '') : written;
  });
}
