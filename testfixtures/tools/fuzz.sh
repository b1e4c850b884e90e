#!/usr/bin/env bash
# Fuzzes each native fuzz test of the project for FUZZTIME, one after another.
# go test -fuzz takes one test of one package at a time, hence the loop. An
# input that fails is written under the package's testdata/fuzz; keep it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

targets=$(find . -path ./.git -prune -o -name '*_test.go' -exec \
  grep -HoE '^func Fuzz[A-Za-z0-9_]*' {} + | sort) || true
if [ -z "$targets" ]; then
  echo "no fuzz test found" >&2
  exit 1
fi

failed=()
while IFS=: read -r file decl; do
  name=${decl#func }
  echo "fuzz $(dirname "$file") $name for ${FUZZTIME:-30s}"
  go test -run '^$' -fuzzminimizetime 5x -fuzz "^${name}\$" -fuzztime "${FUZZTIME:-30s}" "$(dirname "$file")" || failed+=("$name")
done <<<"$targets"

if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
