#!/usr/bin/env bash
# Builds the program with `--device cuda`, into target/cuda. The CUDA 13.2 toolkit comes from Python wheels; nothing of it
# need be installed, and no GPU need be there. To run, the program wants NVIDIA's driver and these libraries:
#
#     scripts/build-cuda.sh
#     LD_LIBRARY_PATH=target/cuda/toolkit/lib target/cuda/release/xtask train \
#         --paper dai --profile smoke --device cuda --task InvertedPendulum-v5 --arm td3 --seed 0
set -euo pipefail
cd "$(dirname "$0")/.."
here="$PWD/target/cuda"
mkdir -p "$here"

# candle's CUDA crate knows versions up to 13.4.
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet \
    "nvidia-cuda-nvcc==13.2.*" "nvidia-cuda-crt==13.2.*" "nvidia-nvvm==13.2.*" "nvidia-cuda-runtime==13.2.*" \
    "nvidia-cuda-nvrtc==13.2.*" "nvidia-cuda-cccl" "nvidia-cublas==13.*" "nvidia-curand"
wheels=$("$here/venv/bin/python" -c 'import nvidia; print(next(iter(nvidia.__path__)) + "/cu13")')
rm -rf "$here/toolkit"
cp -rs "$wheels" "$here/toolkit"
ln -s lib "$here/toolkit/lib64"

# The linker looks for names without versions, and for the driver, which only machines with a GPU have.
for library in "$here"/toolkit/lib/*.so.*; do
    ln -sf "$(basename "$library")" "${library%%.so.*}.so"
done
mkdir -p "$here/stubs"
grep -oh '\bcu[A-Z][A-Za-z0-9_]*' "$here/toolkit/include/cuda.h" | sort -u | sed 's/.*/void &(void) {}/' |
    gcc -shared -x c - -o "$here/stubs/libcuda.so" -Wl,-soname,libcuda.so.1

export CUDA_HOME="$here/toolkit" CUDA_PATH="$here/toolkit" CUDA_ROOT="$here/toolkit" CUDA_TOOLKIT_ROOT_DIR="$here/toolkit"
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-80}"
export PATH="$here/toolkit/bin:$PATH"
export RUSTFLAGS="-L native=$here/toolkit/lib -L native=$here/stubs"
cargo build --release --locked --package xtask --features cuda --target-dir "$here"
echo "$here/release/xtask"
