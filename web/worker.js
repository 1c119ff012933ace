// The part of the script that runs in a worker: loads the network, and refines the masks that the page sends.
"use strict";

if (typeof importScripts === "function") {
  importScripts("ort.wasm.min.js");

  const load = async () => {
    const { ort } = globalThis;
    ort.env.wasm.wasmPaths = new URL("./", location.href).href;
    ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 8) : 1;
    const [settings, session] = await Promise.all([
      fetch("settings.json").then((file) => file.json()),
      ort.InferenceSession.create("model.onnx"),
    ]);
    const run = async (patches, count) => {
      const { side } = settings, channels = patches.length / (count * side * side);
      const answers = await session.run({ patches: new ort.Tensor("uint8", patches, [count, side, side, channels]) });
      return answers.probability.data;
    };
    return { settings, run };
  };
  const loading = load();

  addEventListener("message", async ({ data: { image, masks, everyChange } }) => {
    try {
      const { settings, run } = await loading, start = performance.now();
      let done = 0;
      const refined = await bprWeb.refine(image, masks, everyChange ? { ...settings, caution: 0 } : settings, (patches, count, left) => {
        postMessage({ patches: [done, done + left] });
        done += count;
        return run(patches, count);
      });
      postMessage({ refined: { masks: refined, side: settings.side, seconds: (performance.now() - start) / 1000 } });
    } catch (error) {
      postMessage({ error: error.message });
    }
  });
}
