import { BlockList, isIP } from "node:net";
import { DocksealError } from "#kernel";

/**
 * Checks a list of source addresses and networks (`192.0.2.7`, `10.3.0.0/24`, `2001:db8::/48`).
 * @throws DocksealError `malformed-field` for what is no address, and for a network that holds everybody.
 */
export function checkedAddresses(list: readonly string[]): string[] {
  return list.map((entry) => {
    const [address = "", prefix, ...more] = entry.split("/");
    const family = isIP(address);
    const bits = prefix === undefined ? undefined : Number(prefix);
    const widest = family === 4 ? 32 : 128;
    if (
      family === 0 ||
      more.length > 0 ||
      (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(bits) > widest))
    ) {
      throw refused(`${JSON.stringify(entry)} is no address and no network`);
    }
    if (bits === 0) throw refused(`${entry} would let everybody in: name the station's own network`);
    return entry;
  });
}

function refused(problem: string): DocksealError {
  return new DocksealError("malformed-field", {
    detail: problem,
    extra: { errors: [{ field: "addresses", problem }] },
  });
}

/** True when the address is one of those, or in one of those networks. */
export function isAmong(address: string, list: readonly string[]): boolean {
  const allowed = new BlockList();
  for (const entry of list) {
    const [base = "", prefix] = entry.split("/");
    const family = isIP(base) === 6 ? "ipv6" : "ipv4";
    if (prefix === undefined) allowed.addAddress(base, family);
    else allowed.addSubnet(base, Number(prefix), family);
  }
  // A socket that listens for both families tells IPv4 as ::ffff:192.0.2.7 (RFC 4291 §2.5.5.2).
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  const family = isIP(plain);
  return family !== 0 && allowed.check(plain, family === 6 ? "ipv6" : "ipv4");
}
