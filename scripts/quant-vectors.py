"""Makes test/fixtures/quant/*.bin: encoded blocks and what llama.cpp's own Python package decodes them to.

    git clone <repository>/node_modules/node-llama-cpp/llama/gitRelease.bundle llama.cpp
    python3 -m venv venv && venv/bin/pip install numpy pyyaml
    export GGML=node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-base.so
    PYTHONPATH=llama.cpp/gguf-py venv/bin/python scripts/quant-vectors.py test/fixtures/quant

Each file: u32 number of elements, the encoded blocks, the expected values as f32; all little-endian. Blocks are random bytes with
finite scales, then quantize()'s own output where the package can encode the format. Q8_K has no decoder in the package:
its values are d * q, computed by numpy in f32 as ggml's dequantize_row_q8_K does. Q1_0 and Q2_0 are in no version of the
package: ggml itself encodes and decodes them.
"""

import ctypes
import os
import sys
from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

ELEMENTS = 1024
# Byte offsets of the f16 scales within a block.
F16_AT = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}
PLAIN = ["F32", "F16", "BF16"]
# Added later, in this order: the random blocks of those before stay as they are.
LATER = {"IQ3_S": [0], "MXFP4": [], "IQ3_XXS": [0], "IQ2_S": [0], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ1_S": [0], "IQ1_M": [],
         "TQ1_0": [52], "TQ2_0": [64], "NVFP4": [], "Q1_0": [0], "Q2_0": [0]}
CAN_QUANTIZE = ["BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "MXFP4", "TQ1_0", "TQ2_0"]


# The package knows their sizes and no more: ggml's own functions, out of the library that node-llama-cpp ships.
IN_GGML = ["Q1_0", "Q2_0"]
ggml = ctypes.CDLL(os.environ["GGML"])


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def ggml_decode(name, blocks):
    values = np.zeros(blocks.size // GGML_QUANT_SIZES[T[name]][1] * GGML_QUANT_SIZES[T[name]][0], dtype=np.float32)
    blocks = np.ascontiguousarray(blocks)
    getattr(ggml, f"dequantize_row_{name.lower()}")(pointer(blocks), pointer(values), ctypes.c_int64(len(values)))
    return values


def ggml_encode(name, values):
    size, nbytes = GGML_QUANT_SIZES[T[name]]
    blocks = np.zeros(values.size // size * nbytes, dtype=np.uint8)
    getattr(ggml, f"quantize_row_{name.lower()}_ref")(pointer(values), pointer(blocks), ctypes.c_int64(values.size))
    return blocks


def random_blocks(name, rng):
    size, nbytes = GGML_QUANT_SIZES[T[name]]
    blocks = rng.integers(0, 256, (ELEMENTS // size, nbytes), dtype=np.uint8)
    for at in F16_AT.get(name, LATER.get(name, [])):
        # Any finite f16, subnormal ones included.
        bits = rng.integers(0, 0x7C00, len(blocks), dtype=np.uint16) | (rng.integers(0, 2, len(blocks), dtype=np.uint16) << 15)
        blocks[:, at:at + 2] = bits.astype("<u2").view(np.uint8).reshape(-1, 2)
    if name == "IQ1_M":  # the fourth nibble of d, exponent 31 of which would not be finite
        blocks[:, 55] &= 0xBF
    if name == "MXFP4":
        blocks[:, 0] = rng.integers(0, 250, len(blocks))
    if name == "NVFP4":  # 0x7F and the sign bit are no scales
        blocks[:, :4] = rng.integers(0, 127, (len(blocks), 4))
    if name == "Q8_K":
        blocks[:, :4] = rng.standard_normal(len(blocks)).astype("<f4").view(np.uint8).reshape(-1, 4)
    return blocks


def plain_values(name, rng):
    values = (rng.standard_normal(ELEMENTS) * 10.0 ** rng.integers(-6, 4, ELEMENTS)).astype(np.float32)
    return quantize(values.reshape(1, -1), T[name]).view(np.uint8)


def decode(name, blocks):
    if name == "Q8_K":
        d = np.ascontiguousarray(blocks[:, :4]).view("<f4")
        return d * np.ascontiguousarray(blocks[:, 4:260]).view(np.int8).astype(np.float32)
    return ggml_decode(name, blocks) if name in IN_GGML else dequantize(blocks, T[name])


def main(folder):
    rng = np.random.default_rng(20260101)
    for name in PLAIN + [*F16_AT, "Q8_K", *LATER]:
        parts = [plain_values(name, rng)] if name in PLAIN else [random_blocks(name, rng)]
        if name in CAN_QUANTIZE and name not in PLAIN:
            values = rng.standard_normal((1, ELEMENTS)).astype(np.float32)
            parts.append(quantize(values, T[name]).reshape(parts[0].shape))
        if name in IN_GGML:
            values = rng.standard_normal((1, ELEMENTS)).astype(np.float32)
            parts.append(ggml_encode(name, values).reshape(parts[0].shape))
        expected = np.concatenate([np.ascontiguousarray(decode(name, p)).ravel() for p in parts])
        data = np.uint32(len(expected)).tobytes() + b"".join(p.tobytes() for p in parts) + expected.astype("<f4").tobytes()
        (Path(folder) / f"{name.lower()}.bin").write_bytes(data)


main(sys.argv[1])
