// Refines the images in a folder, for tests and measurements: node refine_cases.js FOLDER [MODEL [THREADS]].
//
// cases.json lists {name, width, height, masks, object_size}; NAME.image holds RGBA bytes, NAME.masks a byte per pixel of
// each mask, settings.json what tools/build_web.py writes. Without a MODEL the probabilities of the patches, in their
// order, are those of NAME.probabilities; with one, onnxruntime-web runs it. Writes NAME.patches, NAME.refined, and
// results.json with the verdicts and the seconds of every case.
"use strict";

require("./refine.js");
const { readFileSync: read, writeFileSync: write } = require("node:fs");
const { join } = require("node:path");

async function networkOf(path, threads, { side }) {
  const ort = require("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(new Uint8Array(read(path)));
  return async (patches, count) => {
    const shape = [count, side, side, patches.length / (count * side * side)];
    return (await session.run({ patches: new ort.Tensor("uint8", patches, shape) })).probability.data;
  };
}

async function main(folder, model, threads = 1) {
  const settings = JSON.parse(read(join(folder, "settings.json"))), results = {};
  const bytes = (name) => new Uint8Array(read(join(folder, name)));
  const network = model && (await networkOf(model, +threads, settings));
  for (const { name, width, height, masks: count, object_size } of JSON.parse(read(join(folder, "cases.json")))) {
    const given = network ? null : new Float32Array(bytes(`${name}.probabilities`).buffer), seen = [];
    let used = 0;
    async function run(patches, many) {
      seen.push(patches);
      return network ? network(patches, many) : given.subarray(used, (used += many * settings.side ** 2));
    }
    const image = { width, height, data: bytes(`${name}.image`) }, at = bytes(`${name}.masks`), size = width * height;
    const masks = Array.from({ length: count }, (_, index) => ({ width, height, at: at.subarray(index * size, (index + 1) * size) }));
    const start = performance.now();
    const refined = await bprWeb.refine(image, masks, { ...settings, object_size }, run);
    results[name] = { verdicts: refined.map(({ verdict }) => verdict), seconds: (performance.now() - start) / 1000 };
    write(join(folder, `${name}.patches`), Buffer.concat(seen));
    write(join(folder, `${name}.refined`), Buffer.concat(refined.map(({ mask }) => mask.at)));
  }
  write(join(folder, "results.json"), JSON.stringify(results));
  process.exit(); // the runtime's threads would wait for more
}

main(...process.argv.slice(2));
