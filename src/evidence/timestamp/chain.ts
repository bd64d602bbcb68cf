import { type Certificate, parseCertificate } from "./certificate.ts";
import { asDer } from "./checks.ts";
import { certificationPath } from "./path.ts";
import { parseToken, parseTstInfo } from "./token.ts";
import { signerCertificate } from "./verify.ts";

/**
 * The certificates that lead from a token's signer to a root, signer first, root last. Of a token that was verified:
 * nothing else about it is checked here.
 * @param roots PEM or DER.
 * @throws DocksealError timestamp-rejected, malformed-proof.
 */
export function timestampChain(tokenDer: Uint8Array, roots: readonly (string | Uint8Array)[]): Certificate[] {
  const believed = roots.map(parseCertificate);
  return asDer(() => {
    const token = parseToken(tokenDer);
    const at = parseTstInfo(token.content).genTime;
    return certificationPath(signerCertificate(token, []), { roots: believed, intermediates: token.certificates, at });
  });
}
