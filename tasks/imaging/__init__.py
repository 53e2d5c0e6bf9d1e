"""Windows, orientations and grids of volumes, each with its inverse: training exports and inference change voxels by these and no others."""
