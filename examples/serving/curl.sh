#!/bin/sh
# Everything that the server of the project from `unisono init` answers, asked with curl:
#   examples/serving/curl.sh http://127.0.0.1:8080 uns_...
# The token may be left out where the server has none.
set -eu

address=${1:-http://127.0.0.1:8080}
token=${2:-}
row='{"parcel": "p1", "courier": "c1", "district": "d1", "promised_at": "2030-01-31T12:00:00Z"}'

ask() {
    echo "== $*"
    path=$1
    shift
    # --fail-with-body: a refusal ends this script, and says why.
    curl --silent --show-error --fail-with-body --header "Authorization: Bearer $token" "$@" "$address$path"
    echo
}

ask /health/live
ask /health/ready

# One row, several rows; at most half a second; a version by its alias.
ask /predict/late --data "$row"
ask /predict/late --data "[$row, $row]" --header "x-timeout-ms: 500"
ask "/predict/late?version=champion" --data "$row"

# What the model would see.
ask /features/late --data "$row"

# The Open Inference Protocol: a tensor a column. Compressed, too.
ask /v2/models/late
ask /v2/models/late/infer --compressed --data '{
  "id": "42",
  "inputs": [
    {"name": "parcel", "datatype": "BYTES", "shape": [2], "data": ["p1", "p2"]},
    {"name": "courier", "datatype": "BYTES", "shape": [2], "data": ["c1", "c1"]},
    {"name": "district", "datatype": "BYTES", "shape": [2], "data": ["d1", "d2"]},
    {"name": "promised_at", "datatype": "BYTES", "shape": [2], "data": ["2030-01-31T12:00:00Z", "2030-01-31T13:00:00Z"]}
  ]
}'
ask /v2/repository/index --request POST

# For those who look after it.
ask /metrics
ask /openapi.json
