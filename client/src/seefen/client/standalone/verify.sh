#!/bin/sh
# Checks an unpacked export with a shell, openssl 3, xxd and sha256sum, and nothing of seefen:
# the manifest and its signature, each text against its record, each record against the root,
# each root against the signature of the log. verify.py checks that, and more, faster.
#
#     sh verify.sh [HEX]      HEX is the key of the log as you know it
set -u
export LC_ALL=C
cd "$(dirname "$0")" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
bad=0
wrong() { echo "WRONG  $1"; bad=1; }
bytes() { printf %s "$1" | xxd -r -p; }
hash() { sha256sum | cut -d' ' -f1; }
plain() { printf %s "$1" | openssl base64 -d -A | xxd -p -c 512; }

# signed KEY SIGNATURE < message: Ed25519, both in hex
signed() {
    bytes "302a300506032b6570032100$1" > "$work/key"
    bytes "$2" > "$work/signature"
    cat > "$work/message"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin \
        -in "$work/message" -sigfile "$work/signature" > /dev/null 2>&1
}

# opened NOTE: checks the timed line of the log, sets $size and $root
last_note=
opened() {
    [ "$1" = "$last_note" ] && return 0
    printf '%s\n' "$1" > "$work/note"
    [ "$(sed -n 1p "$work/note")" = "$origin" ] || return 1
    size=$(sed -n 2p "$work/note")
    root=$(plain "$(sed -n 3p "$work/note")")
    for line in $(sed -n "5,\$s/^— $(printf %s "$origin" | sed 's/[.\/]/\\&/g') //p" "$work/note"); do
        line=$(plain "$line")
        [ ${#line} -eq 152 ] || continue
        time=$(printf '%d' "0x$(printf %s "$line" | cut -c9-24)")
        { printf 'cosignature/v1\ntime %d\n' "$time"; head -n 3 "$work/note"; } |
            signed "$public" "$(printf %s "$line" | cut -c25-)" || return 1
        last_note=$1
        return 0
    done
    return 1
}

# included RECORD INDEX PROOF: whether the record is in the tree of $size under $root
included() {
    found=$(bytes "00$1" | hash) here=$2 last=$((size - 1))
    [ "$here" -le "$last" ] || return 1
    for one in $3; do
        one=$(plain "$one")
        [ ${#one} -eq 64 ] && [ "$last" -gt 0 ] || return 1
        if [ $((here & 1)) -eq 1 ] || [ "$here" -eq "$last" ]; then
            found=$(bytes "01$one$found" | hash)
            while [ "$here" -gt 0 ] && [ $((here & 1)) -eq 0 ]; do
                here=$((here >> 1)) last=$((last >> 1))
            done
        else
            found=$(bytes "01$found$one" | hash)
        fi
        here=$((here >> 1)) last=$((last >> 1))
    done
    [ "$last" -eq 0 ] && [ "$found" = "$root" ]
}

field() { printf %s "$1" | sed -n "s/^.*\"$2\":\"\([^\"]*\)\".*\$/\1/p"; }

for name in MANIFEST.sha256 MANIFEST.sig policy keys.json checkpoint entries.jsonl; do
    [ -f "$name" ] || { echo "WRONG  $name is missing"; exit 1; }
done
sha256sum --check --strict MANIFEST.sha256 > "$work/checked" 2> /dev/null ||
    wrong "a file is not the one in the manifest: $(grep -v ': OK$' "$work/checked" | tr '\n' ' ')"
[ "$(find . -type f | wc -l)" -eq $(($(wc -l < MANIFEST.sha256) + 2)) ] ||
    wrong "there are files that the manifest does not name"

vkey=$(sed -n 's/^log //p' policy)
origin=${vkey%%+*}
public=${vkey#*+} # base64 has a + of its own
public=$(plain "${public#*+}" | cut -c3-)
[ ${#public} -eq 64 ] || { echo "WRONG  the policy names no log key"; exit 1; }
[ "${1:-$public}" = "$public" ] || wrong "the log key in the policy is not the one you know"
keys=$(cat keys.json)
[ "$(field "$keys" log_key)" = "$public" ] || wrong "policy and keys.json name different log keys"
exporter=$(field "$keys" "$(field "$keys" exporter)" | cut -c1-64)
{ bytes "ff$(printf seefen/1/sig/audit-export | xxd -p -c 99)00$(field "$keys" net)"; cat MANIFEST.sha256; } |
    signed "$exporter" "$(cat MANIFEST.sig)" || wrong "the manifest is not the one that the exporter signed"
opened "$(cat checkpoint)" || wrong "the checkpoint is not signed by the log"

secret=$(printf seefen/1/audit-commit | sha256sum | cut -d' ' -f1)
count=0
while IFS= read -r entry; do
    index=$(printf %s "$entry" | sed -n 's/^.*,"index":\([0-9]*\),.*$/\1/p')
    record=$(field "$entry" record)
    # The text has no quote but those that JSON writes as \" here.
    printf %s "$entry" | sed 's/^{"core":"//; s/","detail":.*$//; s/","envelope":.*$//; s/\\"/"/g' | tr -d '\n' > "$work/core"
    made=$({ bytes "$(printf %s "$entry" | sed -n 's/^.*,"salt":"\([0-9a-f]*\)"}$/\1/p')"; cat "$work/core"; } |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$secret" | sed 's/^.* //')
    [ "$made" = "$(printf %s "$record" | cut -c51-114)" ] ||
        wrong "entry $index: the text or its salt is not the one that the log committed to"
    proof=proofs/$index.tlog-proof
    if [ ! -f "$proof" ] || [ "$(sed -n 2p "$proof")" != "index $index" ]; then
        wrong "entry $index: its proof is missing, or is that of another entry"
    elif ! opened "$(sed '1,/^$/d' "$proof")"; then
        wrong "entry $index: the checkpoint in its proof is not signed by the log"
    else
        included "$record" "$index" "$(sed -n '3,/^$/p' "$proof")" ||
            wrong "entry $index: the proof does not lead to the root of its checkpoint"
    fi
    count=$((count + 1))
done < entries.jsonl
[ "$(find proofs -type f | wc -l)" -eq "$count" ] || wrong "there are proofs without an entry: one was removed"

[ "$bad" -eq 0 ] && echo "GOOD   $count entries of $origin, each under a checkpoint that the log signed"
echo "KEY    $public: is it the one your node knows as the key of the log?"
exit "$bad"
