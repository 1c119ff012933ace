"""Write a folder that a model hub takes as a repository: the ONNX file, a card, config.json and SHA256SUMS; no Python.

    python tools/model_repository.py starter --out hub/starter

The same folder is one that BPR_MODELS may name.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence

from bpr.backends.folders import CARDS, SUMS, card_of, check_digest, named_models
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.cli.main import Parser, run_script
from bpr.cli.paths import OutputPath
from bpr.geometry.channels import CHANNELS
from bpr.io.folders import atomic_folder

ATTRIBUTION = "ATTRIBUTION.md"
"""Names those whose images the free models of a folder learned from."""
LICENCES = {"Apache-2.0": "license: apache-2.0"}
OTHER = "license: other\nlicense_name: research-only"
CARD = """---
{licence}
library_name: boundary-patch-refinement
pipeline_tag: image-segmentation
tags: [instance-segmentation, mask-refinement, boundary, onnx]
---
# {name}

A network of Boundary Patch Refinement: it draws the boundary of an instance mask again, in small patches of the image.
Good at: {good_at}.

- Licence of the weights: {card[licence]}
- Trained on: {card[data]}

## Use it

```python
import bpr
refined = bpr.load("{name}.onnx")("photo.jpg", masks)
```

Without that package: the input is `patches`, `(n, {side}, {side}, {channels})` uint8, with the channels {inputs};
the output is `probability`, `(n, {side}, {side})` float32, of the object at each pixel. `config.json` holds the same and
how patches are placed. The normalisation is inside the file.
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=named_models(), metavar="NAME", help="a model's name")
    parser.add_argument("--out", type=OutputPath, required=True, help="folder to write")
    return run_script(parser, run, argv)


def run(args: argparse.Namespace) -> None:
    name, path = args.model, named_models()[args.model]
    digest, card, predictor = check_digest(name, path), card_of(path), OnnxPredictor(path)
    side, inputs = predictor.spec.window, list(predictor.spec.inputs)
    tensors = {
        "input": {"name": "patches", "type": "uint8", "shape": ["n", side, side, predictor.spec.channels], "channels": inputs},
        "output": {"name": "probability", "type": "float32", "shape": ["n", side, side]},
    }
    words = {"name": name, "card": card, "good_at": card["good_at"], "licence": LICENCES.get(card["licence"], OTHER)}
    spelled = ", ".join(f"`{one}` ({CHANNELS[one].width})" for one in inputs)
    with atomic_folder(args.out, "model_repository") as folder:
        shutil.copyfile(path, folder / path.name)
        config = {"models": {name: card}, **tensors, "scheme": predictor.metadata["scheme"]}
        (folder / CARDS).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        (folder / SUMS).write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        text = CARD.format(**words, side=side, channels=predictor.spec.channels, inputs=spelled)
        (folder / "README.md").write_text(text, encoding="utf-8")
        if card["licence"] in LICENCES and path.with_name(ATTRIBUTION).is_file():
            shutil.copyfile(path.with_name(ATTRIBUTION), folder / ATTRIBUTION)
    print(f"{args.out}: a repository of {name}")


if __name__ == "__main__":
    sys.exit(main())
