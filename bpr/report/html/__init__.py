"""The report: a folder of HTML that shows what a refinement changed, instance by instance, without a server or a network."""
