"""What can be asked on the command line, beside the workflow: ``lensml verify``, ``doctor``."""
