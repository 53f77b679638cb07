"""Reports: pages of charts and pictures of recorded runs. They open from a file and load nothing else."""
