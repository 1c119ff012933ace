"""What a refinement network learns from: patch stores, or patches cut from images while it trains."""
