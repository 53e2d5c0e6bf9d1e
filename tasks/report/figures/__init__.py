"""What people would rather look at than read: a module a figure, each legible in grey and to the colour-blind."""
