"""Reading and writing of files: images, headers, sRGB, untrusted text, atomic writing."""
