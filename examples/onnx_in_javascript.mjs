// Run a model's ONNX file in JavaScript: node here; a page in a browser makes the same calls.
//
//     npm install onnxruntime-web
//     node examples/onnx_in_javascript.mjs starter.onnx patches.bin probabilities.bin
//
// patches.bin: uint8 (n, 64, 64, 5), as onnx_without_bpr.py describes them. probabilities.bin: float32 (n, 64, 64).
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const ort = createRequire(join(process.cwd(), "any.js"))("onnxruntime-web"); // of the folder where it was installed
const [model, input, output] = process.argv.slice(2);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(model), { executionProviders: ["wasm"] });
const patches = new Uint8Array(readFileSync(input));
const tensor = new ort.Tensor("uint8", patches, [patches.length / (64 * 64 * 5), 64, 64, 5]);
const { probability } = await session.run({ patches: tensor });
writeFileSync(output, new Uint8Array(probability.data.buffer, probability.data.byteOffset, probability.data.byteLength));
