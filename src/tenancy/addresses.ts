import { BlockList, isIP } from 'node:net';

/** Whether `text` is an address or a range of them in CIDR notation: `10.0.0.0/8`, `2001:db8::/32`. */
export function isAddressRange(text: string): boolean {
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const kind = isIP(address);
  return kind !== 0 && Number(bits ?? 0) <= (kind === 4 ? 32 : 128);
}

/** The addresses of these ranges. */
export function addressesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const kind = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, kind);
    else list.addSubnet(address, Number(bits), kind);
  }
  return list;
}

export function isAmong(list: BlockList, remoteAddress: string | undefined): boolean {
  // A socket for both kinds says so of an IPv4 address.
  const address = (remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  const kind = isIP(address);
  return kind !== 0 && list.check(address, kind === 4 ? 'ipv4' : 'ipv6');
}
