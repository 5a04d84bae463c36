#!/usr/bin/env bash
# Generates the Python code, its stubs and the descriptor image of every .proto file here.
# Usage: proto/generate.sh PYTHON OUT, where PYTHON has the packages of proto/requirements.txt.
# OUT receives the code in the packages' folders, and image.binpb (with comments, for buf).
set -euo pipefail
python=$1 out=$(mkdir -p "$2" && cd "$2" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"

# The google/type and google/rpc sources lie beside the modules that googleapis-common-protos installs.
common=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
PATH=$(dirname "$python"):$PATH  # protoc finds the mypy plugins there
mapfile -t files < <(find lintel -name '*.proto' | LC_ALL=C sort)
mapfile -t services < <(grep -l '^service ' "${files[@]}")
protoc=("$python" -m grpc_tools.protoc --proto_path=. --proto_path="$common")

"${protoc[@]}" --python_out="$out" --mypy_out=quiet:"$out" \
  --include_imports --include_source_info --descriptor_set_out="$out/image.binpb" "${files[@]}"
"${protoc[@]}" --grpc_python_out="$out" --mypy_grpc_out=quiet:"$out" "${services[@]}"
