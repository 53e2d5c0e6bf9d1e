"""Text that is burned into pixels: what the header and the catalogue say of it, how it is found, and how it is blanked."""
