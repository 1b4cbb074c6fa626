#!/usr/bin/env bash
# Looks at the workers of a deployment through the Admin API, with curl and jq.
#
#   samples/fleet.sh worker-01 [http://localhost:1610]
set -euo pipefail
node_id=$1
api=${2:-http://localhost:1610}
get() { curl --fail --silent --show-error "$api/$1"; }

echo "== All workers"
get workers | jq

echo "== One worker, its version, and its heartbeat"
get "workers/$node_id" | jq
get "workers/$node_id" | jq -r '.info.version'
get "workers/$node_id" | jq -r '.heartbeat_at'

echo "== Node ids and heartbeats"
get workers | jq -r '.workers[] | "\(.node_id): \(.heartbeat_at)"'

echo "== Workers whose heartbeat is older than five, and ten, seconds"
get workers | jq '.workers[] | select(
  (now - (.heartbeat_at | fromdateiso8601)) > 5
)'
get workers | jq '.workers[] |
  select((now - (.heartbeat_at | fromdateiso8601)) > 10)'

echo "== Versions of the fleet"
get workers | jq -r '.workers[] |
  "\(.node_id): \(if .info then .info.version else "unknown" end)"'
for worker in $(get workers | jq -r '.workers[].node_id'); do
    echo "$worker: $(get "workers/$worker" | jq -r '.info.version')"
done

echo "== How many there are"
get workers | jq '.workers | length'

echo "== By creation date"
get workers | jq -r '.workers[] |
  "\(.created_at) - \(.node_id)"' | sort
