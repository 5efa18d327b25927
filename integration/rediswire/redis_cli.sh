#!/usr/bin/env bash
# redis-cli: commands as arguments and from a pipe, in RESP2 and RESP3, its mass insertion, and what it tells about a database.
#
# REDIS_URL names the server, REDIS_TLS_CA the certificate to trust with TLS. It fails with the line that is not as expected.
set -euo pipefail

cli=(redis-cli --no-auth-warning -u "$REDIS_URL")
if [[ $REDIS_URL == rediss:* ]]; then
	cli+=(--cacert "$REDIS_TLS_CA")
fi

# expect compares what a command prints, whose lines it joins with blanks.
expect() {
	local want=$1 got
	shift
	got=$("$@" 2>&1 | tr '\n' ' ')
	if [[ ${got% } != "$want" ]]; then
		echo "$*: want '$want', got '$got'" >&2
		exit 1
	fi
}

has() {
	local want=$1 got
	shift
	got=$("$@" 2>&1)
	if [[ $got != *"$want"* ]]; then
		echo "$*: want '$want' in '$got'" >&2
		exit 1
	fi
}

expect OK "${cli[@]}" flushdb
expect PONG "${cli[@]}" ping
expect OK "${cli[@]}" set foo 'b a r'
expect 'b a r' "${cli[@]}" get foo
expect '"b a r"' "${cli[@]}" --no-raw get foo
expect '' "${cli[@]}" get none
expect '(nil)' "${cli[@]}" -3 --no-raw get none
expect 2 "${cli[@]}" zadd z 1 one 2.5 two
expect '1) 1) "one"    2) (double) 1 2) 1) "two"    2) (double) 2.5' "${cli[@]}" -3 --no-raw zrange z 0 -1 withscores
expect '"one","1","two","2.5"' "${cli[@]}" --csv zrange z 0 -1 withscores
has "ERR unknown command 'nosuch'" "${cli[@]}" nosuch
has 'ERR wrong number of arguments' "${cli[@]}" get
expect 'OK QUEUED QUEUED OK 2' "${cli[@]}" <<<$'multi\nset n 1\nincr n\nexec'
printf 'a\0\r\nb' | "${cli[@]}" -x set binary >/dev/null
expect 5 "${cli[@]}" strlen binary
expect 10 "${cli[@]}" eval 'return redis.call("INCRBY", KEYS[1], ARGV[1])' 1 n 8
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for ((i = 0; i < 1000; i++)); do
	printf 'SET pipe:%d %d\r\n' "$i" "$i"
done | "${cli[@]}" --pipe >"$log" 2>&1 || { cat "$log"; exit 1; }
has 'errors: 0, replies: 1000' cat "$log"

expect 1000 bash -c "$(printf '%q ' "${cli[@]}") --scan --pattern 'pipe:*' | wc -l"
has "has 2 members" "${cli[@]}" --bigkeys
has 'redis_version:7' "${cli[@]}" info server
has 'keys=1004' "${cli[@]}" info keyspace
has 'user=default' "${cli[@]}" client list
has 'cluster support disabled' "${cli[@]}" cluster info
has 'summary' "${cli[@]}" command docs get
(sleep 0.2; "${cli[@]}" rpush wait a) >/dev/null &
expect 'wait a' "${cli[@]}" blpop wait 0
wait
echo "redis-cli ok"
