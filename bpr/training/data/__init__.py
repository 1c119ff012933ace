"""The training data of a refinement network: patch stores, or patches cut from images while it trains."""
