#!/bin/sh
# verify-receipt.sh RECEIPT FILE [ROOTS.pem [LOG.vkey]]: checks a dockseal receipt with sh, sed, coreutils and openssl alone.
# Roots or key that are not given are the receipt's own: whose they are stays open. Exit code: 0 good, 1 wrong, 2 usage.
[ -r "$1" ] && [ -r "$2" ] || { echo "usage: $0 RECEIPT FILE [ROOTS.pem [LOG.vkey]]" >&2; exit 2; }
receipt=$(realpath "$1") file=$(realpath "$2") roots=${3:+$(cat "$3")} key=${4:+$(cat "$4")} dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT; cd "$dir" || exit 2; wrong() { echo "WRONG: $1" >&2; exit 1; }
digest() { openssl dgst -r "-$1" "$2" | cut -c1-64; }
says() { case $(cat "$1") in *"\"$2\":$3"[,}]*) ;; *) wrong "$4" ;; esac; } # JSON without white space
member() { tr -d '\r' <"$receipt" | sed -n "s/^ *\"$1\": \[*\"\([^]]*\)\"\]*,\$/\1/p"; }
for part in entry proof opening manifest timestampToken; do member $part | base64 -d >$part && [ -s $part ] || wrong "no $part"; done
[ $# -ge 4 ] || echo "note: roots or log key are taken from the receipt, and whose they are stays open" >&2
says manifest sizeBytes "$(wc -c <"$file" | tr -d ' ')" "the file has another size" # 1. the file is what the manifest says
for name in sha256 sm3; do says manifest $name "\"$(digest $name "$file")\"" "the file has another $name"; done
own=$(member timestampRoots | sed 's/","/\n/g' | sed 's/.*/-----BEGIN CERTIFICATE-----\n&\n-----END CERTIFICATE-----/' | fold -w 64)
echo "${roots:-$own}" >roots; when=$(openssl ts -reply -token_in -in timestampToken -text 2>log | sed -n 's/^Time stamp: //p')
openssl ts -verify -token_in -in timestampToken -data manifest -CAfile roots -attime "$(date -ud "$when" +%s)" >>log 2>&1 || wrong "the timestamp is not over this manifest"
says opening manifestSha256 "\"$(digest sha256 manifest)\"" "another manifest was logged" # 2. the log's entry commits to both
says opening tokenSha256 "\"$(digest sha256 timestampToken)\"" "another timestamp was logged"
says entry commitment "\"$(digest sha256 opening)\"" "the opening is not the one that was logged"
sed '1,/^$/d' proof >note; sed '/^$/,$d' note >text; n=$(sed -n '2s/^index \([0-9]*\)$/\1/p' proof) last=$(($(sed -n '2s/^\([0-9]*\)$/\1/p' text) - 1))
{ printf '\000'; cat entry; } | openssl dgst -sha256 -binary >hash # 3. it stands in the log (RFC 9162, 2.1.3.2)
[ "$n" -le "$last" ] && for next in $(sed '1,2d;/^$/q' proof); do
  if [ $((n % 2)) = 1 ] || [ "$n" = "$last" ]; then pair="next hash"; else pair="hash next"; fi
  while [ "$pair" = "next hash" ] && [ $((n % 2)) = 0 ] && [ "$n" != 0 ]; do n=$((n / 2)) last=$((last / 2)); done
  echo "$next" | base64 -d >next; { printf '\001'; cat $pair; } | openssl dgst -sha256 -binary >node; mv node hash; n=$((n / 2)) last=$((last / 2))
done; [ "$last" = 0 ] && [ "$(base64 <hash)" = "$(sed -n 3p text)" ] || wrong "the entry does not stand in the log at this place"
name=$(head -n 1 text); sed '1,/^$/d' note >lines; for vkey in ${key:-$(member logKey)}; do # 4. a key of the log signed it (Ed25519)
  [ "${vkey%%+*}" = "$name" ] && { echo MCowBQYDK2VwAyEA | base64 -d; echo "${vkey#*+*+}" | base64 -d | tail -c 32; } >key && while read -r dash by sig; do
    [ "$dash $by" = "— $name" ] && echo "$sig" | base64 -d | tail -c 64 >sig && openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile sig >>log 2>&1 && touch signed
done <lines; done; [ -e signed ] && echo "GOOD: $2 is what was sealed at $when" || wrong "the checkpoint is not signed by the log's key"
