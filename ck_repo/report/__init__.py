"""Reports: pages of charts and pictures that are made from recorded runs. They open from a file and load nothing else."""
