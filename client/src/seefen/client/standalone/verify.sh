#!/bin/sh
# Checks an unpacked export with a shell, openssl 3, xxd and sha256sum, and nothing of seefen:
# the manifest and its signature, each text against its record, each record against the root,
# each root against the signature of the log, the checkpoint against the witnesses of the policy.
# verify.py checks that, and more, faster: the table, the dates, that the policy is the root's.
# Take this program from a node that you trust, not from who gave you the export.
#
#     sh verify.sh [HEX]      HEX is the key of the log as you know it
set -u
export LC_ALL=C
usage() {
    echo "usage: sh verify.sh [HEX]" >&2
    echo "  HEX is the key of the log as you know it: 64 digits and letters a to f." >&2
    echo "  It checks the folder that it lies in, and takes no name of one." >&2
    exit 2
}
[ $# -le 1 ] || usage
if [ $# -eq 1 ]; then
    case $1 in *[!0-9a-f]*) usage ;; esac
    [ ${#1} -eq 64 ] || usage
fi
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

# plainly TEXT: whether it is hex alone; all else here could be a command to sed or the shell
plainly() { case $1 in "" | *[!0-9a-f]*) return 1 ;; esac; }

# committed SALT < text: what a record holds of it
committed() {
    { bytes "$1"; cat; } | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$secret" | sed 's/^.* //'
}

# timed NAME PUBLIC: checks the one timed line of a key (Ed25519) in the note in $work/note
timed() {
    case $1 in "" | *[!A-Za-z0-9./_-]*) return 1 ;; esac
    lines=$(sed -n "5,\$s/^— $(printf %s "$1" | sed 's/[.\/]/\\&/g') //p" "$work/note")
    found=
    for line in $lines; do
        line=$(plain "$line")
        [ ${#line} -eq 152 ] || continue
        [ -z "$found" ] || return 1
        found=$line
    done
    [ -n "$found" ] || return 1
    time=$(printf '%d' "0x$(printf %s "$found" | cut -c9-24)")
    { printf 'cosignature/v1\ntime %d\n' "$time"; head -n 3 "$work/note"; } |
        signed "$2" "$(printf %s "$found" | cut -c25-)"
}

# opened NOTE: checks the timed line of the log, sets $size and $root
last_note=
opened() {
    [ "$1" = "$last_note" ] && return 0
    printf '%s\n' "$1" > "$work/note"
    [ "$(sed -n 1p "$work/note")" = "$origin" ] || return 1
    size=$(sed -n 2p "$work/note")
    root=$(plain "$(sed -n 3p "$work/note")")
    timed "$origin" "$public" || return 1
    last_note=$1
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

# grown SIZE ROOT SIZE ROOT PROOF: whether the second tree begins with all of the first
grown() {
    [ "$1" -gt 0 ] && [ "$1" -lt "$3" ] || return 1
    here=$(($1 - 1)) last=$(($3 - 1)) mine=
    while [ $((here & 1)) -eq 1 ]; do here=$((here >> 1)) last=$((last >> 1)); done
    if [ "$here" -eq 0 ]; then mine=$2 theirs=$2; fi
    for one in $5; do
        one=$(plain "$one")
        [ ${#one} -eq 64 ] || return 1
        if [ -z "$mine" ]; then mine=$one theirs=$one; continue; fi
        if [ $((here & 1)) -eq 1 ] || [ "$here" -eq "$last" ]; then
            mine=$(bytes "01$one$mine" | hash) theirs=$(bytes "01$one$theirs" | hash)
            while [ "$here" -gt 0 ] && [ $((here & 1)) -eq 0 ]; do
                here=$((here >> 1)) last=$((last >> 1))
            done
        else
            theirs=$(bytes "01$theirs$one" | hash)
        fi
        here=$((here >> 1)) last=$((last >> 1))
    done
    [ "$last" -eq 0 ] && [ "$mine" = "$2" ] && [ "$theirs" = "$4" ]
}

# belongs INDEX: whether the head of a proof and the checkpoint are of one log that only grew
belongs() {
    [ "$1" -lt "$final_size" ] || return 1
    [ "$size $root" != "$known" ] || return 0
    if [ "$size" -eq "$final_size" ]; then
        [ "$root" = "$final_root" ] || return 1
    elif [ "$size" -lt "$final_size" ]; then
        grown "$size" "$root" "$final_size" "$final_root" "$(cat "consistency/$size")" || return 1
    else
        grown "$final_size" "$final_root" "$size" "$root" "$(cat "consistency/$size")" || return 1
    fi
    known="$size $root"
}

field() { printf %s "$1" | sed -n "s/^.*\"$2\":\"\([^\"]*\)\".*\$/\1/p"; }

# authored DEVICE KIND: whether the device has signed the statement in $work/envelope (Ed25519)
authored() {
    [ -n "$1" ] && [ "$2" != denied ] && [ "$2" != viewed ] || return 0 # the broker's own: see below
    plainly "$1" || return 1
    key=$(field "$keys" "$1")
    plainly "$key" || return 1
    # [payload, [[sha256 of the key, signature], ...]] in CBOR
    envelope=$(xxd -p -c 0 "$work/envelope" 2> /dev/null || xxd -p "$work/envelope" | tr -d '\n')
    case $envelope in
        8258*) from=7 long=$(printf '%d' "0x$(printf %s "$envelope" | cut -c5-6)") ;;
        8259*) from=9 long=$(printf '%d' "0x$(printf %s "$envelope" | cut -c5-8)") ;;
        825a*) from=13 long=$(printf '%d' "0x$(printf %s "$envelope" | cut -c5-12)") ;;
        *) return 1 ;;
    esac
    payload=$(printf %s "$envelope" | cut -c"$from-$((from + 2 * long - 1))")
    rest=$(printf %s "$envelope" | cut -c"$((from + 2 * long))-")
    rest=${rest#*5820"$(bytes "$key" | hash)"}
    case $rest in
        5840*) signature=$(printf %s "$rest" | cut -c5-132) ;;
        59*) signature=$(printf %s "$rest" | cut -c7-134) ;;
        *) return 1 ;;
    esac
    bytes "ff$(printf 'seefen/1/sig/%s' "$2" | xxd -p -c 99)00$(field "$keys" net)$payload" |
        signed "$(printf %s "$key" | cut -c1-64)" "$signature"
}

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
device=$(field "$keys" exporter)
plainly "$device" || { echo "WRONG  the exporter is no device"; exit 1; }
exporter=$(field "$keys" "$device" | cut -c1-64)
plainly "$exporter" && plainly "$(field "$keys" net)" || { echo "WRONG  keys.json holds no keys"; exit 1; }
view=$(field "$keys" view | tr -cd 'A-Za-z0-9 ,:-') # cores alone, as a guest is shown them
{ bytes "ff$(printf seefen/1/sig/audit-export | xxd -p -c 99)00$(field "$keys" net)"; cat MANIFEST.sha256; } |
    signed "$exporter" "$(cat MANIFEST.sig)" || wrong "the manifest is not the one that the exporter signed"
opened "$(cat checkpoint)" || wrong "the checkpoint is not signed by the log"
final_size=${size:-0} final_root=${root:-} known=
group=$(sed -n 's/^quorum //p' policy) cosigned=0 needed=0 signers=
[ "$group" = none ] || needed=$(sed -n "s/^group $group \([0-9]*\) .*$/\1/p" policy)
[ -n "$needed" ] || { wrong "the policy does not say how many witnesses are needed"; needed=32; }
cp checkpoint "$work/note"
for vkey in $(sed -n 's/^witness [^ ]* //p' policy | sort -u); do
    name=${vkey%%+*} key=${vkey#*+}
    grep -q "^— $name " checkpoint || continue
    if timed "$name" "$(plain "${key#*+}" | cut -c3-)"; then
        cosigned=$((cosigned + 1)) signers="$signers $name"
    else
        wrong "the signature of $name on the checkpoint is wrong"
    fi
done
[ "$cosigned" -ge "$needed" ] ||
    wrong "$cosigned witnesses cosigned the checkpoint, and $needed are needed"

secret=$(printf seefen/1/audit-commit | sha256sum | cut -d' ' -f1)
count=0
while IFS= read -r entry; do
    index=$(printf %s "$entry" | sed -n 's/^.*,"index":\([0-9]*\),.*$/\1/p')
    record=$(field "$entry" record)
    # The text has no quote but those that JSON writes as \" here.
    printf %s "$entry" | sed 's/^{"core":"//; s/","detail":.*$//; s/","envelope":.*$//; s/\\"/"/g' | tr -d '\n' > "$work/core"
    made=$(committed "$(printf %s "$entry" | sed -n 's/^.*,"salt":"\([0-9a-f]*\)"}$/\1/p')" < "$work/core")
    [ "$made" = "$(printf %s "$record" | cut -c51-114)" ] ||
        wrong "entry $index: the text or its salt is not the one that the log committed to"
    detail=$(printf %s "$entry" | sed -n 's/^.*,"detail":{\([^}]*\)},"envelope":.*$/\1/p')
    [ -z "$detail" ] || [ "$(bytes "$(field "$detail" data)" | committed "$(field "$detail" salt)")" = \
        "$(printf %s "$record" | cut -c115-178)" ] ||
        wrong "entry $index: the reason or its salt is not the one that the log committed to"
    core=$(cat "$work/core")
    [ "$(field "$entry" kind)" = "$(field "$core" act)" ] ||
        wrong "entry $index: the text is about another act"
    if [ -n "$view" ]; then
        [ -z "$(field "$entry" envelope)$detail" ] ||
            wrong "entry $index: a view shows neither statement nor reason"
    else
        field "$entry" envelope | openssl base64 -d -A > "$work/envelope"
        [ "$(hash < "$work/envelope")" = "$(field "$core" req)" ] ||
            wrong "entry $index: the signed statement is not the one that the text names"
        authored "$(field "$core" device)" "$(field "$core" act)" ||
            wrong "entry $index: its device has not signed this statement"
    fi
    proof=proofs/$index.tlog-proof
    if [ ! -f "$proof" ] || [ "$(sed -n 2p "$proof")" != "index $index" ]; then
        wrong "entry $index: its proof is missing, or is that of another entry"
    elif ! opened "$(sed '1,/^$/d' "$proof")"; then
        wrong "entry $index: the checkpoint in its proof is not signed by the log"
    elif ! included "$record" "$index" "$(sed -n '3,/^$/p' "$proof")"; then
        wrong "entry $index: the proof does not lead to the root of its checkpoint"
    elif ! belongs "$index"; then
        wrong "entry $index: its proof leads to another log than the checkpoint, or past it"
    fi
    count=$((count + 1))
done < entries.jsonl
[ "$(find proofs -type f | wc -l)" -eq "$count" ] || wrong "there are proofs without an entry: one was removed"

[ "$bad" -eq 0 ] && echo "GOOD   $count entries of $origin, each under a checkpoint that the log signed"
[ -z "$view" ] || echo "OPEN   a view of $view: what devices signed, and why, was not shown to it"
if [ "$needed" = 0 ]; then
    echo "OPEN   no witness is needed: the broker may have shown others another log"
else
    echo "OPEN   $cosigned witnesses cosigned (Ed25519), $needed needed; ML-DSA-44 lines are not checked here"
    for name in $signers; do echo "OPEN   cosigned by $name"; done
fi
echo "OPEN   root and witnesses vouch for themselves: verify.py --net HEX holds them to your network"
echo "OPEN   not checked here: entries.csv, the dates, what was refused, the roots; verify.py checks them"
echo "WHO    device $device made this export, and may have left entries out; its key begins with $(printf %s "$exporter" | cut -c1-16)"
echo "NET    $(field "$keys" net): does your node know it as the id of its network?"
echo "KEY    $public: is it the one your node knows as the key of the log?"
exit "$bad"
