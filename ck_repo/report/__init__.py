"""Reports: pages with charts and images of recorded runs. They open from a file and load nothing else."""
