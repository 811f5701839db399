"""A module that reports statistics of the pixel values of each image and series; it changes no image."""
