"""What people look at: lines, bars, curves, grids and figures. Knows plain numbers and images only."""
