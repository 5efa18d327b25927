#!/usr/bin/env bash
# kcat against a broker: metadata, every codec, offsets by time, a group, and an idempotent producer.
#
# The connection comes from the environment: KAFKA_BROKERS, KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_TLS_CA for TLS. The
# mechanism and a topic of three partitions, which is empty, are arguments. It fails if anything is wrong, and prints what it has done.
set -euo pipefail
mechanism=$1 topic=$2
protocol=SASL_PLAINTEXT tls=()
if [[ -n ${KAFKA_TLS_CA:-} ]]; then
	protocol=SASL_SSL tls=(-X "ssl.ca.location=$KAFKA_TLS_CA")
fi
connection=(-b "$KAFKA_BROKERS" -X "security.protocol=$protocol" "${tls[@]}" -X "sasl.mechanism=$mechanism"
	-X "sasl.username=$KAFKA_USERNAME" -X "sasl.password=$KAFKA_PASSWORD")

want() {
	if [[ $2 != "$3" ]]; then
		echo "$1: $2, want $3"
		exit 1
	fi
}

metadata=$(timeout 20 kcat "${connection[@]}" -L -t "$topic")
want "partitions" "$(grep -c 'leader 0' <<<"$metadata")" 3
for codec in none gzip snappy lz4 zstd; do
	seq 1 500 | timeout 20 kcat "${connection[@]}" -P -t "$topic" -k "$codec" -z "$codec"
done
seq 1 500 | timeout 20 kcat "${connection[@]}" -P -t "$topic" -k idempotent -X enable.idempotence=true
want "messages" "$(timeout 20 kcat "${connection[@]}" -C -t "$topic" -o beginning -e -q | wc -l)" 3000
hour_ago=$((($(date +%s) - 3600) * 1000))
want "since an hour" "$(timeout 20 kcat "${connection[@]}" -C -t "$topic" -o "s@$hour_ago" -e -q | wc -l)" 3000
offsets=$(timeout 20 kcat "${connection[@]}" -Q -t "$topic:0:$hour_ago" -t "$topic:1:$hour_ago" -t "$topic:2:$hour_ago")
grep -q 'offset 0' <<<"$offsets" || { echo "the offsets of an hour ago: $offsets"; exit 1; }
want "the end" "$(timeout 20 kcat "${connection[@]}" -C -t "$topic" -o end -e -q | wc -l)" 0
want "as a group" "$(timeout 40 kcat "${connection[@]}" -X auto.offset.reset=earliest -c 3000 -q -G "$topic-group" "$topic" 2>/dev/null | wc -l)" 3000
echo "kcat $mechanism ok"
