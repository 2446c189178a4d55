"""Files to values and back: images, their headers and sRGB; text of anybody; files that appear whole or not at all."""
