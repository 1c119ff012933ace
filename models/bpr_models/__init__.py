"""Models of BPR that its own wheel leaves out. The package bpr finds them here by name."""
