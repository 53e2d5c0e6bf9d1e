"""Windows, orientation and grids: the one place where voxels get other values or other places, for models, exports and volumes."""
