#!/bin/sh
# Checks a dockseal receipt with openssl, base64 and sed alone:
#   verify-receipt.sh RECEIPT FILE [ROOTS.pem]
# that the timestamp is over the seal manifest, and that FILE is what the manifest describes. ROOTS.pem are the root
# certificates of the timestamp authority, from somewhere you trust; without it the receipt's own are taken.
# The log's proof is not checked here: `dockseal verify RECEIPT --file FILE` does everything.
# Exit code: 0 good, 1 wrong, 2 cannot check.
set -u
[ $# -ge 2 ] || { echo "usage: $0 RECEIPT FILE [ROOTS.pem]" >&2; exit 2; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
wrong() { echo "WRONG: $1" >&2; exit 1; }

# one member of the receipt: each stands on a line of its own
member() { sed -n 's/^  "'"$1"'": "\([A-Za-z0-9+/=]*\)",*$/\1/p' "$work/receipt"; }
# one member of the manifest, which is JSON without white space
sealed() { sed -n 's/.*"'"$1"'":"\{0,1\}\([0-9a-f]*\)"\{0,1\}[,}].*/\1/p' "$work/manifest"; }
tr -d '\r' <"$1" >"$work/receipt" || exit 2
member manifest | base64 -d >"$work/manifest" && [ -s "$work/manifest" ] || wrong "no manifest in the receipt"
member timestampToken | base64 -d >"$work/token" && [ -s "$work/token" ] || wrong "no timestamp in the receipt"
if [ $# -ge 3 ]; then
  cat "$3" >"$work/roots.pem" || exit 2
else
  echo "note: no root certificate was given, whose timestamp it is stays open" >&2
  sed -n 's/^  "timestampRoots": \[\(.*\)\],*$/\1/p' "$work/receipt" | tr ',' '\n' | tr -d '"' | while read -r root; do
    printf '%s' "$root" | base64 -d | openssl x509 -inform DER
  done >"$work/roots.pem"
fi
# the authority's certificate had to be valid at the time that the token tells, not today
when=$(openssl ts -reply -token_in -in "$work/token" -text 2>/dev/null | sed -n 's/^Time stamp: //p')
at=$(date -u -d "$when" +%s) && [ -n "$when" ] || wrong "the timestamp cannot be read"
openssl ts -verify -token_in -in "$work/token" -data "$work/manifest" -CAfile "$work/roots.pem" -attime "$at" \
  >"$work/log" 2>&1 || { cat "$work/log" >&2; wrong "the timestamp is not over this manifest"; }
[ "$(wc -c <"$2" | tr -d ' ')" = "$(sealed sizeBytes)" ] || wrong "the file has another size"
for digest in sha256 sm3; do
  [ "$(openssl dgst -r "-$digest" "$2" | cut -c1-64)" = "$(sealed $digest)" ] || wrong "the file has another $digest"
done
echo "GOOD: $2 is what was sealed at $when"
