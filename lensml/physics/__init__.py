"""Pure functions of lensing physics: cosmology, deflections, mass functions, light."""
