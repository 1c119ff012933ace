"""The report: a folder of HTML that shows what refinement changed, mask by mask, without a server or a network."""
