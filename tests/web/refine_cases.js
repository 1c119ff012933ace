// Refines the cases in a folder with web/refine.js: node refine_cases.js FOLDER [MODEL].
//
// cases.json lists {name, width, height, object_size}; NAME.image holds RGBA bytes, NAME.mask a byte per pixel. Without a MODEL the
// probabilities of the patches, in their order, are those of NAME.probabilities; with one it is run by onnxruntime-web.
// Writes NAME.patches, NAME.refined and verdicts.json.
"use strict";

require("../../web/refine.js");
const { readFileSync: read, writeFileSync: write } = require("node:fs");
const { join } = require("node:path");

async function networkOf(path, { side, inputs }) {
  const ort = require("../../web/node_modules/onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(read(path)));
  return async (patches, count) => {
    const answers = await session.run({ patches: new ort.Tensor("uint8", patches, [count, side, side, patches.length / (count * side * side)]) });
    return answers.probability.data;
  };
}

async function main(folder, model) {
  const settings = JSON.parse(read(join(folder, "settings.json")));
  const network = model && (await networkOf(model, settings));
  const bytes = (name) => new Uint8Array(read(join(folder, name)));
  const verdicts = {};
  for (const { name, width, height, object_size } of JSON.parse(read(join(folder, "cases.json")))) {
    const seen = [];
    const given = network ? null : new Float32Array(bytes(`${name}.probabilities`).buffer);
    let start = 0;
    async function run(patches, count) {
      seen.push(patches);
      return network ? network(patches, count) : given.subarray(start, (start += count * settings.side ** 2));
    }
    const image = { width, height, data: bytes(`${name}.image`) }, mask = { width, height, at: bytes(`${name}.mask`) };
    const refined = await bprWeb.refine(image, mask, { ...settings, object_size }, run);
    write(join(folder, `${name}.patches`), Buffer.concat(seen));
    write(join(folder, `${name}.refined`), refined.mask.at);
    verdicts[name] = refined.verdict;
  }
  write(join(folder, "verdicts.json"), JSON.stringify(verdicts));
}

main(...process.argv.slice(2));
