"""The loop: one for every architecture, on Lightning Fabric."""
